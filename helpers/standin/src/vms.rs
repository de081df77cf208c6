//! Virtual machines and their instances: a script that creates them, and every version of each, as etcd has them.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{names, revisions::Revisions};

/// What becomes of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It comes up.
    #[default]
    Runs,
    /// It comes up, and is deleted then.
    IsDeleted,
    /// It is deleted while it is scheduled.
    IsDeletedEarly,
    /// It fails while it is scheduled.
    Fails,
    /// It stays where it is scheduled.
    NeverRuns,
    /// It comes up, and nobody wrote that it was Scheduled.
    SkipsScheduled,
    /// It comes up, and nobody wrote any time.
    HasNoTimes,
}

/// Virtual machines that are created one after another.
#[derive(Clone, Debug)]
pub struct VmScript {
    /// How many.
    pub count: usize,
    /// The beginning of their names, which have a number at the end.
    pub prefix: String,
    /// Their namespace.
    pub namespace: String,
    /// Their one label.
    pub label: (String, String),
    /// The time from one to the next.
    pub every: Duration,
    /// Whether each instance belongs to a VirtualMachine, which is made some time before it.
    pub owned: bool,
    /// Decides about the latencies.
    pub seed: u64,
    /// How many times faster they come up than their timestamps say.
    pub speed: u32,
    /// What becomes of the one of this number.
    pub fate: fn(usize) -> Fate,
}

impl Default for VmScript {
    fn default() -> Self {
        Self {
            count: 1,
            prefix: "vm".to_owned(),
            namespace: "vms".to_owned(),
            label: ("kube-burner-job".to_owned(), "density".to_owned()),
            every: Duration::ZERO,
            owned: true,
            seed: 1,
            speed: 1000,
            fate: |_| Fate::Runs,
        }
    }
}

/// The record of an instance: what happened to it, to the millisecond since 1970. Objects have whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmCreation {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What becomes of it.
    pub fate: Fate,
    /// When its VirtualMachine was created, if it has one.
    pub vm_created: Option<u64>,
    /// When it was created.
    pub created: u64,
    /// The phases that it has reached, each with its time.
    pub phases: Vec<(&'static str, u64)>,
    /// When it was Ready.
    pub ready: Option<u64>,
    /// Whether it is gone.
    pub deleted: bool,
}

/// How a watch of instances ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// The connection breaks.
    Cut,
    /// The stream is over, as when the server's time for it is.
    Over,
    /// An ERROR event: its revision was compacted away.
    Gone,
    /// The same as the answer's status, before anything is sent.
    GoneAtOnce,
    /// A bookmark of a revision that is later than all events, and then the end of the stream.
    Bookmark,
}

/// The two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VmKind {
    Machine,
    Instance,
}

impl VmKind {
    pub(crate) fn of(plural: &str) -> Option<Self> {
        [Self::Machine, Self::Instance]
            .into_iter()
            .find(|kind| kind.plural() == plural)
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Machine => "virtualmachines",
            Self::Instance => "virtualmachineinstances",
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Machine => "VirtualMachine",
            Self::Instance => "VirtualMachineInstance",
        }
    }
}

/// One version of an object.
#[derive(Clone, Debug)]
pub(crate) struct Vm {
    pub(crate) revision: i64,
    pub(crate) uid: String,
    pub(crate) owner: Option<String>,
    pub(crate) label: (String, String),
    /// What is known of it, of which the object shows some.
    pub(crate) known: VmCreation,
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub(crate) struct VmEvent {
    pub(crate) kind: &'static str,
    pub(crate) vm: Arc<Vm>,
}

/// An object from this revision on; none where it was deleted.
type Version = (i64, Option<Arc<Vm>>);

/// Every version of the objects of one kind.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// By namespace and name.
    objects: BTreeMap<String, Vec<Version>>,
    pub(crate) events: Vec<VmEvent>,
}

impl Versions {
    /// The objects at a revision from this key on, in order.
    pub(crate) fn at<'a>(
        &'a self,
        revision: i64,
        start: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<Vm>)> + use<'a> {
        let from = self.objects.range(start.to_owned()..);
        from.filter_map(move |(key, versions)| {
            let until = versions.partition_point(|(of, _)| *of <= revision);
            let (_, vm) = versions[..until].last()?;
            Some((key.as_str(), vm.as_ref()?))
        })
    }

    /// The number of events up to a revision.
    pub(crate) fn events_until(&self, revision: i64) -> usize {
        self.events
            .partition_point(|event| event.vm.revision <= revision)
    }

    fn write(&mut self, kind: &'static str, mut vm: Vm, revisions: &mut Revisions) {
        vm.revision = revisions.write();
        let key = format!("{}/{}", vm.known.namespace, vm.known.name);
        let vm = Arc::new(vm);
        let version = (kind != "DELETED").then(|| Arc::clone(&vm));
        let versions = self.objects.entry(key).or_default();
        versions.push((vm.revision, version));
        self.events.push(VmEvent { kind, vm });
    }
}

/// All virtual machines of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Vms {
    pub(crate) machines: Versions,
    pub(crate) instances: Versions,
    /// The instances' ends of watches that are still to come, each after so many events.
    pub(crate) watch_ends: Vec<(usize, WatchEnd)>,
    /// Each instance's last version.
    last: Vec<Vm>,
}

impl Vms {
    pub(crate) fn of(&self, kind: VmKind) -> &Versions {
        match kind {
            VmKind::Machine => &self.machines,
            VmKind::Instance => &self.instances,
        }
    }

    pub(crate) fn log(&self) -> Vec<VmCreation> {
        self.last.iter().map(|vm| vm.known.clone()).collect()
    }

    /// The instances whose phase this is now.
    pub(crate) fn in_phase(&self, phase: &str) -> usize {
        let last = self.last.iter().filter(|vm| !vm.known.deleted);
        last.filter(|vm| vm.known.phases.last().is_some_and(|(of, _)| *of == phase))
            .count()
    }

    /// Does a step of a script.
    pub(crate) fn step(&mut self, script: &VmScript, step: &Step, revisions: &mut Revisions) {
        if step.what == What::Create {
            self.create(script, step, revisions);
            return;
        }
        let Some(vm) = self.last.get_mut(step.first + step.number) else {
            return;
        };
        let mut kind = "MODIFIED";
        match step.what {
            What::Create => {}
            What::Delete => {
                vm.known.deleted = true;
                kind = "DELETED";
            }
            What::Phase(phase) => {
                let at = vm.known.created + step.offset;
                vm.known.phases.push((phase, at));
                if phase == "Running" {
                    vm.known.ready = Some(at);
                }
            }
        }
        self.instances.write(kind, vm.clone(), revisions);
    }

    /// Deletes all instances whose names begin so.
    pub(crate) fn delete(&mut self, prefix: &str, revisions: &mut Revisions) {
        for vm in &mut self.last {
            if vm.known.name.starts_with(prefix) && !vm.known.deleted {
                vm.known.deleted = true;
                self.instances.write("DELETED", vm.clone(), revisions);
            }
        }
    }

    fn create(&mut self, script: &VmScript, step: &Step, revisions: &mut Revisions) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis() as u64;
        let number = self.last.len();
        let name = format!("{}-{:05}", script.prefix, step.number);
        let known = VmCreation {
            name,
            namespace: script.namespace.clone(),
            fate: (script.fate)(step.number),
            vm_created: script.owned.then_some(now - step.offset),
            created: now,
            phases: Vec::new(),
            ready: None,
            deleted: false,
        };
        let uid = |of: usize| names::uid(1_000_000 + 2 * number + of);
        let mut vm = Vm {
            revision: 0,
            uid: uid(0),
            owner: None,
            label: script.label.clone(),
            known,
        };
        if script.owned {
            self.machines.write("ADDED", vm.clone(), revisions);
            vm.owner = Some(uid(0));
        }
        vm.uid = uid(1);
        self.instances.write("ADDED", vm.clone(), revisions);
        self.last.push(vm);
    }
}

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// When it is done, from the script's begin.
    pub(crate) after: Duration,
    /// The place of the script's first instance.
    first: usize,
    number: usize,
    what: What,
    /// Milliseconds from the instance's creation; of a creation, those from its VirtualMachine's.
    offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Create,
    Phase(&'static str),
    Delete,
}

/// The steps of a script whose first instance has this place.
pub(crate) fn steps(script: &VmScript, first: usize) -> Vec<Step> {
    let mut random = script.seed;
    let mut steps = Vec::new();
    for number in 0..script.count {
        let begin = script.every * number as u32;
        let mut step = |what, offset: u64| {
            let later = Duration::from_millis(offset) / script.speed;
            let after = if what == What::Create {
                begin
            } else {
                begin + later
            };
            steps.push(Step {
                after,
                first,
                number,
                what,
                offset,
            });
        };
        let mut draw = |most: u64| next(&mut random) % most;
        step(What::Create, draw(1500));
        let mut offset = 0;
        for (phase, most) in [
            ("Pending", 900),
            ("Scheduling", 3000),
            ("Scheduled", 9000),
            ("Running", 30_000),
        ] {
            offset += draw(most);
            let fate = (script.fate)(number);
            if phase == "Scheduled" {
                match fate {
                    Fate::Fails => step(What::Phase("Failed"), offset),
                    Fate::IsDeletedEarly => step(What::Delete, offset),
                    Fate::SkipsScheduled => continue,
                    Fate::Runs | Fate::IsDeleted | Fate::NeverRuns | Fate::HasNoTimes => {}
                }
                if matches!(fate, Fate::Fails | Fate::IsDeletedEarly | Fate::NeverRuns) {
                    break;
                }
            }
            step(What::Phase(phase), offset);
            if phase == "Running" && fate == Fate::IsDeleted {
                step(What::Delete, offset + 500);
            }
        }
    }
    steps.sort_by_key(|step| step.after);
    steps
}

/// The next number of a xorshift generator.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
