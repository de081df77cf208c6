//! Objects that a test reads, and edits as somebody else would.

use serde_json::Value;

use crate::{
    hyperconverged, kubevirt,
    managed::{Part, Writer},
    object::Key,
    resource::Resource,
    standin::Standin,
};

/// The writer in whose name a test edits.
const SOMEBODY: &str = "kubectl-edit";

impl Standin {
    /// The KubeVirt object.
    pub fn kubevirt(&self) -> Value {
        self.shared.state.borrow().kubevirt()
    }

    /// The HyperConverged object; null where there is none.
    pub fn hyperconverged(&self) -> Value {
        self.shared.state.borrow().hyperconverged()
    }

    /// The Lease of this name in the install namespace.
    pub fn lease(&self, name: &str) -> Option<Value> {
        self.shared.state.borrow().lease(name)
    }

    /// The Events of a namespace.
    pub fn events(&self, namespace: &str) -> Vec<Value> {
        let state = self.shared.state.borrow();
        let events = state.control.list(Resource::Events, namespace);
        events.into_iter().cloned().collect()
    }

    /// Replaces a Lease of the install namespace, or makes it.
    ///
    /// # Panics
    /// When kube-apiserver would never keep it.
    pub fn set_lease(&self, name: &str, mut lease: Value) {
        let writer = Writer::new(SOMEBODY, Part::Whole);
        let written = self.change(|state| {
            let (control, revisions) = (&mut state.control, &mut state.revisions);
            let key = control.key(Resource::Leases, name);
            if control.get(&key).is_ok() {
                return control.rewrite(&key, &writer, revisions, |object| *object = lease);
            }
            if let Some(metadata) = lease["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
                metadata.remove("uid");
            }
            control.create(&key, lease, &writer, revisions)
        });
        if let Err(refusal) = written {
            panic!("the Lease {name}: {}", refusal.message);
        }
    }

    /// Deletes a Lease of the install namespace, if there is one of this name.
    pub fn remove_lease(&self, name: &str) {
        self.change(|state| {
            let key = state.control.key(Resource::Leases, name);
            // Gone is gone.
            drop(state.control.remove(&key));
        });
    }

    /// Edits the KubeVirt object, status and all, as another writer. Where HyperConverged owns it,
    /// its spec is made again at once.
    ///
    /// # Panics
    /// When kube-apiserver would never keep it; so does [`Standin::edit_hyperconverged`].
    pub fn edit_kubevirt(&self, change: impl FnOnce(&mut Value)) {
        let key = self.shared.state.borrow().control.kubevirt_key();
        self.edit(&key, SOMEBODY, change);
    }

    /// Edits the KubeVirt object's `spec.configuration`.
    pub fn edit_configuration(&self, change: impl FnOnce(&mut Value)) {
        self.edit_kubevirt(|object| change(&mut object["spec"]["configuration"]));
    }

    /// The KubeVirt object's `spec.configuration`.
    pub fn configuration(&self) -> Value {
        self.kubevirt()["spec"]["configuration"].take()
    }

    /// Whether virt-operator is away, so that `observedGeneration` follows no write.
    pub fn set_unobserved(&self, unobserved: bool) {
        self.change(|state| state.control.set_unobserved(unobserved));
    }

    /// Edits the HyperConverged object as another writer, past the webhook: an annotation that is
    /// refused then changes nothing.
    pub fn edit_hyperconverged(&self, change: impl FnOnce(&mut Value)) {
        let key = self.shared.state.borrow().control.hyperconverged_key();
        self.edit(&key, SOMEBODY, change);
    }

    /// Enables or disables the profiler in the object that counts; virt-api sees it after
    /// [`crate::Options::gate_delay`].
    pub fn set_gate(&self, on: bool) {
        let options = &self.shared.options;
        let (version, state) = (options.kubevirt, &self.shared.state);
        if options.hyperconverged {
            let key = state.borrow().control.hyperconverged_key();
            return self.edit(&key, "kubectl-annotate", |object| {
                hyperconverged::switch(options, on, object);
            });
        }
        let key = state.borrow().control.kubevirt_key();
        self.edit(&key, "kubectl-patch", |object| {
            if kubevirt::is_on(version, object) != on {
                kubevirt::switch(version, on, object);
            }
        });
    }

    fn edit(&self, key: &Key, manager: &str, change: impl FnOnce(&mut Value)) {
        let writer = Writer::new(manager, Part::Whole);
        let edited = self.change(|state| {
            let revisions = &mut state.revisions;
            state.control.rewrite(key, &writer, revisions, change)
        });
        if let Err(refusal) = edited {
            panic!("the edit was refused: {}", refusal.message);
        }
    }
}
