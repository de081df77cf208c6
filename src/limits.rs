//! Times and numbers that no user sets, and a test may shorten.

mod bucket;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use bucket::BucketLimits;

/// How long calls may take, how often they are tried, and other times that no user sets.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a call's whole answer, and for the head of a dump's.
    pub call: Duration,
    /// For the next piece of a dump's body.
    pub idle: Duration,
    /// Tries of one call, the first included.
    pub tries: usize,
    /// The pause after the first failed try; it doubles up to `longest_pause`.
    pub first_pause: Duration,
    /// The longest pause between tries.
    pub longest_pause: Duration,
    /// How far a cpu profile may fall short of the window.
    pub cpu_slack: Duration,
    /// How long a Lease lives that nobody renews.
    pub lease: Duration,
    /// How often it is renewed.
    pub lease_renewal: Duration,
    /// How long a change of the gate may take to reach every component.
    pub gate: Duration,
    /// How long an API server that is away is waited for where a run would lose data without it.
    pub outage: Duration,
    /// Dumps within one window.
    pub snapshots: u32,
    /// How long a run's page may take to be made and written: its manifest waits for it.
    pub report: Duration,
    /// How long a run may take to read the runs that it is compared with: its manifest waits for it.
    pub compare: Duration,
    /// How long a run that is shipped may take to be pushed.
    pub push: Duration,
    /// How long one pod's profiles are sent again to a server that is busy or away: one that restarts takes minutes.
    pub push_patience: Duration,
    /// For a server's whole answer to one pod's profiles that are pushed.
    pub push_answer: Duration,
    /// How often a line says how far the run is.
    pub progress: Duration,
    /// The clock on the wall. It may step at any time, so no time between two moments is taken from it.
    pub now: fn() -> Timestamp,
    /// Of a bucket.
    pub bucket: BucketLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // kube-apiserver cuts an aggregated answer at 60 s.
            call: Duration::from_secs(65),
            idle: Duration::from_secs(30),
            tries: 4,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(8),
            cpu_slack: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            lease_renewal: Duration::from_secs(15),
            gate: Duration::from_secs(5 * 60),
            outage: Duration::from_secs(5 * 60),
            snapshots: 48,
            report: Duration::from_secs(60),
            compare: Duration::from_secs(30),
            push: Duration::from_secs(10 * 60),
            push_patience: Duration::from_secs(3 * 60),
            push_answer: Duration::from_secs(20),
            progress: Duration::from_secs(30),
            now: Timestamp::now,
            bucket: BucketLimits::default(),
        }
    }
}

// Of `run`.

/// What is kept of the grace for finishing the archive once the dump was ended.
pub const SHIPPING_RESERVE: Duration = Duration::from_secs(15);

/// What is kept of the grace once the stop is given up.
pub const STOP_RESERVE: Duration = Duration::from_secs(5);

/// What a run that was told to stop has for giving the Lease up, once the stop is given up.
pub const RELEASE_RESERVE: Duration = Duration::from_millis(3500);

/// What it has for putting the gate back, of the same, where a destination that failed took all the time before.
pub const RESTORE_RESERVE: Duration = Duration::from_secs(3);

/// What a run that was told to stop has for removing an upload, of the grace that is left after the stop.
pub const ABORT_RESERVE: Duration = Duration::from_secs(2);

/// Once the run is told to stop: for a look what an earlier attempt has shipped, at another place from then on and where
/// the archive goes from the end of the dump's time on; and for the stop of pods that nobody lists.
pub const TOLD_LOOK: Duration = Duration::from_secs(2);

/// Of a run that is told to stop a call may take one of so many parts of the time that is left for one try,
pub const HURRIED_TRIES: u32 = 4;

/// but so much at least.
pub const SHORTEST_TRY: Duration = Duration::from_secs(1);

/// For a change of the gate that is under way when the run is told to stop.
pub const WRITE_LIMIT: Duration = Duration::from_secs(6);

/// For a start that is under way when the run is told to stop: virt-api gives a pod five seconds.
pub const POD_LIMIT: Duration = Duration::from_secs(6);

/// For writing the Event of a run's end.
pub const EVENT_LIMIT: Duration = Duration::from_millis(1500);

/// How often a profiler that others turn off is turned on again in one dump.
pub const REOPENINGS: usize = 3;

/// How many things that are waited for at once a line of progress names.
pub const SHOWN_WAITS: usize = 3;

/// How often a progress bar moves.
pub const BAR_TICK: Duration = Duration::from_millis(250);

/// How far the clocks of nodes may differ. A cpu profile that is further from the window is stale.
pub const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);

// Of `destination`.

/// The age at which a file under a temporary name is nobody's.
pub const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Tries of a request to a bucket that brings no data of a run, where AWS_MAX_ATTEMPTS does not say how many.
pub const S3_TRIES: u32 = 6;

/// The pause after the first failed try of a request to a bucket; it doubles up to `S3_LONGEST_PAUSE`.
pub const S3_FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between tries of a request to a bucket.
pub const S3_LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Refusals and redirects of one request that brings a run's data, until it is not sent again.
pub const S3_REFUSALS: u32 = 4;

/// The longest time for a connection to a bucket.
pub const S3_CONNECT: Duration = Duration::from_secs(10);

/// The longest time for aborting the uploads that others left: a run does not wait long for that.
pub const S3_ABORT_ALL: Duration = Duration::from_secs(15);

// Of `engine`.

/// Rounds of tries for one pod's page: after each but the last it is asked whether the API server is there.
pub const DUMP_ROUNDS: usize = 3;

/// Fresh tokens for one pod's page, taken because one went stale before virt-api used it.
pub const FRESH_TOKENS: usize = 5;

/// Checks, after upstream's program was killed, whether it is gone.
pub const KILL_CHECKS: usize = 2000;

/// The pause between two of these checks.
pub const KILL_CHECK_PAUSE: Duration = Duration::from_millis(1);

// Of `run/retention.rs`.

/// The longest time for removing earlier runs, for others wait for the lock: the next run goes on with it.
pub const RETENTION: Duration = Duration::from_secs(2 * 60);

/// The longest time for removing one earlier run, because nobody removes what is left of half a run.
pub const REMOVAL: Duration = Duration::from_secs(20);

/// The time for one earlier run that is being removed when a run has to hurry, or after `REMOVAL`.
pub const REMOVAL_GRACE: Duration = Duration::from_secs(2);

// Of `commands`.

/// The most profiles that `convert` converts at once, however many cores there are: each takes some 1 MiB, and 32 at the most.
pub const CONVERSIONS: usize = 16;

/// The pause between two looks of `ready` for the ready file.
pub const READY_POLL: Duration = Duration::from_millis(250);

/// How long `ready` ignores a done file that is there at first: the next run removes an earlier one's.
pub const OLD_DONE_FILE: Duration = Duration::from_secs(5);

// Of `cluster`.

/// How long a run waits for what it needs to say something: a schema, and the object that a person changes.
pub const ADVICE_WAIT: Duration = Duration::from_secs(10);

/// Tries of a write that conflicts with other writers, with pauses that grow in between.
pub const CONFLICTING_WRITES: usize = 12;

/// The time without a byte after which a socket to the API server asks whether the other end is still there.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The time between two such questions that are not answered.
pub const KEEP_ALIVE_REPEAT: Duration = Duration::from_secs(5);

/// The questions without an answer after which the connection is taken for dead.
pub const KEEP_ALIVE_PROBES: u32 = 3;

/// The time after which a connection is taken for dead whose other end does not acknowledge what was sent.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// How many times a write of the Lease that is never answered could be made in the Lease's life.
pub const LEASE_TRIES: u32 = 8;

/// How many times in a Lease's life its holder is looked at, by whoever waits for it.
pub const LEASE_LOOKS: u32 = 20;

/// The longest time that the first stop of a run waits for a pod LIST.
pub const LIST_BEFORE_STOP: Duration = Duration::from_secs(2);

/// Tries of a pod LIST whose continue token went stale on the way.
pub const POD_LISTINGS: usize = 3;

/// Tries of a continue token, each time with the fresh one that came for a stale one.
pub const TOKEN_EXCHANGES: usize = 5;

/// Tries of a LIST of virtual machines whose continue token went stale on the way.
pub const VM_LISTINGS: usize = 3;

/// The longest time for the LISTs of virtual machines before start and after stop, which wait for them.
pub const VM_LISTS: Duration = Duration::from_secs(60);

/// How long the API server is asked to keep one watch of virtual machines open.
pub const VM_WATCH: Duration = Duration::from_secs(290);

/// The most virtual machine instances that are counted, and the most virtual machines, of some 100 bytes each.
pub const VM_RECORDS: usize = 50_000;

/// How long a watch of virtual machines has to be silent after stop to be taken for read to its end.
pub const VM_SILENCE: Duration = Duration::from_secs(1);

/// How far the clocks of a cluster's nodes may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest time for each question about what surrounds a run, before start and after stop, which wait for it.
pub const SURROUNDINGS: Duration = Duration::from_secs(3);

/// The longest time for listing the nodes of a cluster, after stop.
pub const NODE_LISTS: Duration = Duration::from_secs(10);

// Of `window`.

/// The time between two looks for the stop file.
pub const STOP_FILE_POLL: Duration = Duration::from_millis(250);

/// The most bytes that the snapshots of a run may have before another is taken: a quarter of the temporary volume of
/// `deploy/`, which the dump needs, too.
pub const SNAPSHOT_BYTES: u64 = 128 << 20;

/// The most files that they may be: the manifest names each, in memory.
pub const SNAPSHOT_FILES: u64 = 12_000;

/// Pieces of an archive that have arrived and wait to be read for a report.
pub const PIECES_WAITING: usize = 4;

/// The most bytes of profiles that a report is made of. Those of 2,000 pods take a tenth of it.
pub const REPORT_PROFILES: u64 = 4 << 30;

/// The most of them that a run keeps for its page: a quarter of the temporary volume of `deploy/`, which the dump needs,
/// too.
pub const RUN_REPORT_PROFILES: u64 = 128 << 20;

/// The room on the temporary volume that is left to the dump: with less, a run keeps nothing for its page.
pub const DUMP_ROOM: u64 = 32 << 20;

// Of `push`.

/// The most bytes of profiles that a run pushes: three quarters of `deploy/`'s temporary volume, which is free by then.
pub const RUN_PUSH_PROFILES: u64 = 384 << 20;

/// For a connection to a server that a run is pushed to, and for writing what arrived there.
pub const PUSH_SHORT: Duration = Duration::from_secs(5);

/// The longest of this program's own pauses between the tries of a request.
pub const PUSH_LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Requests in a row of which nobody knows what became of them, or which the server did not take, until no more are sent.
pub const PUSH_USELESS_IN_A_ROW: u32 = 3;
