//! The handle on a stand-in that serves.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::{
    client, clock,
    fault::{Fault, RouteFault},
    log::Seen,
    names,
    options::Options,
    pod::Pod,
    profiler::Call,
    profiles::Encoded,
    server,
    shared::Shared,
    state::State,
    tls,
    vms::{self, VmCreation, VmScript, WatchEnd},
};

/// Whoever waits so long waits for what never comes.
const HANGS: Duration = Duration::from_secs(300);

/// A stand-in that serves until it is dropped.
pub struct Standin {
    pub(crate) shared: Arc<Shared>,
    url: String,
    ca_pem: String,
    serving: JoinHandle<()>,
}

impl Standin {
    /// Begins to serve on a free port of the loopback.
    pub async fn start(options: Options) -> Result<Self> {
        let identity = tls::identity().context("cannot make certificates")?;
        let profiles = Encoded::new(&options).context("cannot read the golden profiles")?;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen on the loopback")?;
        let url = format!("https://{}", listener.local_addr()?);
        let state = State::new(&options);
        known(&options, &state.pods())?;
        let state = watch::Sender::new(state);
        let shared = Arc::new(Shared {
            options,
            profiles,
            state,
            dumps: AtomicUsize::new(0),
            most_dumps: AtomicUsize::new(0),
        });
        let server = server::serve(listener, identity.config, Arc::clone(&shared));
        let clock = clock::run(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            tokio::join!(server, clock);
        });
        Ok(Self {
            shared,
            url,
            ca_pem: identity.ca_pem,
            serving,
        })
    }

    /// Where it serves, as `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of its authority, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> String {
        client::kubeconfig(&self.url, &self.ca_pem, &self.shared.options.namespace)
    }

    /// Writes the kubeconfig, atomically.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        client::write_atomically(path, &self.kubeconfig())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The names of the component pods there are now, Ready or not, sorted.
    pub fn pods(&self) -> Vec<String> {
        self.shared.state.borrow().pods()
    }

    /// The names of the pods whose cpu profiler runs now.
    pub fn profiling(&self) -> BTreeSet<String> {
        self.shared.state.borrow().profiling()
    }

    /// The requests that came, up to [`Options::remembered`] of them.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.state.borrow().requests().to_vec()
    }

    /// How many requests came whose path ends in this segment (`dump-cluster-profiler`).
    pub fn arrived(&self, segment: &str) -> usize {
        self.shared.state.borrow().arrived(segment)
    }

    /// The most dumps that were under way at once so far.
    pub fn most_dumps(&self) -> usize {
        self.shared.most_dumps.load(Ordering::SeqCst)
    }

    /// How many starts reached the pods, whatever was answered.
    pub fn starts(&self) -> usize {
        self.shared.state.borrow().starts()
    }

    /// Waits until the state is so; it is looked at after every change.
    ///
    /// # Panics
    /// After five minutes, for then it will never be so.
    pub async fn wait_until(&self, wanted: impl FnMut(&State) -> bool) {
        let mut changes = self.shared.state.subscribe();
        timeout(HANGS, changes.wait_for(wanted))
            .await
            .expect("the state that is waited for never comes")
            .expect("the sender is ours");
    }

    /// Makes a pod Ready or not.
    ///
    /// # Panics
    /// When there is no such pod; so does [`Standin::restart`].
    pub fn set_ready(&self, pod: &str, ready: bool) {
        self.change_pod(pod, |pod| pod.ready = ready);
    }

    /// Restarts a pod's container: a new process finds the old one's cpu file on its volume.
    pub fn restart(&self, pod: &str) {
        let uid = self.change_pod(pod, |pod| pod.restarts += 1);
        self.change(|state| state.profilers.entry(uid).or_default().restart());
    }

    /// Replaces a pod as its controller does; the new one's name.
    pub fn replace(&self, pod: &str) -> String {
        let component = names::component_of(pod).unwrap_or("virt-handler");
        self.remove_pod(pod);
        self.change(|state| {
            let name = names::pod_name(component, state.next);
            add(state, name.clone(), Some(component.to_owned()));
            name
        })
    }

    /// Adds a Ready pod of this name, with this value of the label `kubevirt.io`.
    pub fn add_pod(&self, name: &str, label: Option<&str>) {
        self.change(|state| add(state, name.to_owned(), label.map(str::to_owned)));
    }

    /// Removes a pod.
    pub fn remove_pod(&self, name: &str) {
        self.change(|state| {
            state
                .revisions
                .change(|pods| pods.retain(|pod| pod.name != name))
        });
    }

    /// Makes every token given out so far stale, as etcd's compaction does.
    pub fn expire_tokens(&self) {
        self.change(|state| state.revisions.compact());
    }

    /// Adds a fault to a pod.
    pub fn pod_fault(&self, pod: &str, fault: Fault) {
        self.change(|state| state.faults.entry(pod.to_owned()).or_default().push(fault));
    }

    /// Adds a fault to a path.
    pub fn route_fault(&self, fault: RouteFault) {
        self.change(|state| state.route_faults.push(fault));
    }

    /// Takes all faults of pods and paths away.
    pub fn clear_faults(&self) {
        self.change(|state| {
            state.faults.clear();
            state.route_faults.clear();
        });
    }

    /// Creates virtual machines as a script says, until all its steps are done.
    pub async fn create_vms(&self, script: VmScript) {
        let first = self.vm_log().len();
        let steps = vms::steps(&script, first);
        let begin = tokio::time::Instant::now();
        let mut left = steps.as_slice();
        while let Some(step) = left.first() {
            tokio::time::sleep_until(begin + step.after).await;
            let due =
                left.partition_point(|step| begin + step.after <= tokio::time::Instant::now());
            let (now, later) = left.split_at(due.max(1));
            self.change(|state| {
                for step in now {
                    state.vms.step(&script, step, &mut state.revisions);
                }
            });
            left = later;
        }
    }

    /// Deletes all virtual machine instances whose names begin so.
    pub fn delete_instances(&self, prefix: &str) {
        self.change(|state| state.vms.delete(prefix, &mut state.revisions));
    }

    /// What was done to each virtual machine instance, in the order of their creation.
    pub fn vm_log(&self) -> Vec<VmCreation> {
        self.shared.state.borrow().vms.log()
    }

    /// The next watch of instances that has no such end ends so, after this many events.
    pub fn end_watch(&self, events: usize, end: WatchEnd) {
        self.change(|state| state.vms.watch_ends.push((events, end)));
    }

    /// Somebody else starts the profiler: it clears and restarts what runs.
    pub fn external_start(&self) {
        self.external(Call::Start);
    }

    /// Somebody else stops the profiler.
    pub fn external_stop(&self) {
        self.external(Call::Stop);
    }

    fn external(&self, call: Call) {
        self.change(|state| {
            for pod in state.ready() {
                state.call(&pod, call, SystemTime::now());
            }
        });
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.shared.change(change)
    }

    /// Changes a pod's object; its uid. A test that names no pod is wrong and told so.
    fn change_pod(&self, name: &str, change: impl FnOnce(&mut Pod)) -> String {
        let uid = self.change(|state| {
            let mut uid = None;
            state.revisions.change(|pods| {
                if let Some(pod) = pods.iter_mut().find(|pod| pod.name == name) {
                    change(Arc::make_mut(pod));
                    uid = Some(pod.uid.clone());
                }
            });
            uid
        });
        uid.unwrap_or_else(|| panic!("the stand-in has no pod {name}"))
    }
}

/// Faults that would never strike are a mistake.
fn known(options: &Options, pods: &[String]) -> Result<()> {
    for (pod, _) in &options.pod_faults {
        ensure!(
            pods.contains(pod),
            "there is no pod {pod}; there are {}",
            pods.join(", ")
        );
    }
    Ok(())
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn add(state: &mut State, name: String, label: Option<String>) {
    let number = state.next;
    state.next += 1;
    state
        .revisions
        .change(|pods| pods.push(Arc::new(Pod::new(name, label, number))));
}
