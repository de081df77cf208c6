//! What follows a write: HyperConverged's operator and virt-operator act, virt-api sees it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    control::Control,
    hyperconverged, kubevirt,
    managed::{Part, Writer},
    refusal::Refusal,
    resource::Resource,
    revisions::Revisions,
    upcoming::Step,
};

/// The name of virt-operator in `managedFields`.
const VIRT_OPERATOR: &str = "virt-operator";

impl Control {
    /// Schedules what the operators do after the write of this object.
    pub(crate) fn follow(&mut self, resource: Resource, object: &Value) {
        match resource {
            Resource::Leases | Resource::Events => {}
            Resource::HyperConvergeds => self
                .upcoming
                .after(self.options.hyperconverged_delay, Step::Reconcile),
            Resource::KubeVirts => {
                let on = kubevirt::is_on(self.options.kubevirt, object);
                self.upcoming.after(
                    self.options.observe_delay,
                    Step::Observe(generation(object)),
                );
                self.upcoming
                    .after(self.options.gate_delay, Step::Enable(on));
                if self.options.hyperconverged {
                    self.upcoming.after(Duration::ZERO, Step::Reconcile);
                }
            }
        }
    }

    /// Does everything that is due.
    pub(crate) fn settle(&mut self, revisions: &mut Revisions) {
        while let Some(step) = self.upcoming.take() {
            let done = match step {
                Step::Enable(on) => {
                    self.enabled = on;
                    continue;
                }
                Step::Observe(_) if self.unobserved => continue,
                Step::Observe(generation) => self.observe(generation, revisions),
                Step::Reconcile => self.reconcile(revisions),
            };
            // An operator that is refused lets it be.
            drop(done);
        }
    }

    /// Stops virt-operator, or starts it again; then it looks at the object at once.
    pub(crate) fn set_unobserved(&mut self, unobserved: bool) {
        self.unobserved = unobserved;
        if let Ok(object) = self.get(&self.kubevirt_key()) {
            self.upcoming
                .after(Duration::ZERO, Step::Observe(generation(object)));
        }
    }

    fn observe(&mut self, generation: i64, revisions: &mut Revisions) -> Result<Value, Refusal> {
        let writer = Writer::new(VIRT_OPERATOR, Part::Status);
        self.rewrite(&self.kubevirt_key(), &writer, revisions, |object| {
            object["status"]["observedGeneration"] = json!(generation);
        })
    }

    /// An annotation that is refused changes nothing.
    fn reconcile(&mut self, revisions: &mut Revisions) -> Result<Value, Refusal> {
        let owner = self.hyperconverged_key();
        let object = self.get(&owner)?;
        let Ok(spec) = hyperconverged::required(object) else {
            return Ok(object.clone());
        };
        let writer = Writer::new(hyperconverged::MANAGER, Part::Main);
        self.rewrite(&self.kubevirt_key(), &writer, revisions, |object| {
            object["spec"] = spec;
        })?;
        let writer = Writer::new(hyperconverged::MANAGER, Part::Status);
        self.rewrite(&owner, &writer, revisions, |object| {
            object["status"] = hyperconverged::status(object, generation(object));
        })
    }
}

fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"]
        .as_i64()
        .unwrap_or_default()
}
