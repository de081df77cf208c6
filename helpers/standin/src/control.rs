//! The objects that can be written, as kube-apiserver keeps them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    hyperconverged, kubevirt,
    managed::{Part, Writer},
    names,
    object::{self, Key},
    options::Options,
    pod::Pod,
    refusal::{self, Refusal},
    resource::Resource,
    revisions::Revisions,
    upcoming::Upcoming,
};

/// The objects, and what the operators still have to do after the last writes.
pub(crate) struct Control {
    pub(crate) options: Options,
    objects: BTreeMap<Key, Value>,
    /// Whether virt-api takes the profiler for enabled.
    pub(crate) enabled: bool,
    /// virt-operator is away: no generation is observed.
    pub(crate) unobserved: bool,
    pub(crate) upcoming: Upcoming,
}

impl Control {
    /// A cluster at rest.
    pub(crate) fn new(options: &Options, revisions: &mut Revisions) -> Self {
        let mut control = Self {
            options: options.clone(),
            objects: BTreeMap::new(),
            enabled: options.gate,
            unobserved: false,
            upcoming: Upcoming::default(),
        };
        let mut owner = "kubectl-patch";
        let mut spec = None;
        if options.hyperconverged {
            let object = hyperconverged::object(options);
            spec = hyperconverged::required(&object).ok();
            owner = hyperconverged::MANAGER;
            let writer = Writer::new("kubectl-create", Part::Main);
            control.seed(&control.hyperconverged_key(), object, &writer, revisions);
        }
        let mut object = kubevirt::object(options, spec);
        if options.gate && !options.hyperconverged {
            kubevirt::switch(options.kubevirt, true, &mut object);
        }
        kubevirt::prune(options.kubevirt, &mut object);
        let writer = Writer::new(owner, Part::Main);
        control.seed(&control.kubevirt_key(), object, &writer, revisions);
        control.seed_leaders(revisions);
        control
    }

    /// The Leases of the components that elect a leader: the first pod of each.
    fn seed_leaders(&mut self, revisions: &mut Revisions) {
        for component in ["virt-controller", "virt-operator"] {
            let mut pods = revisions.pods().iter();
            let is_own = |pod: &&Arc<Pod>| names::component_of(&pod.name) == Some(component);
            let Some(leader) = pods.find(is_own).map(|pod| pod.name.clone()) else {
                continue;
            };
            let key = self.key(Resource::Leases, component);
            let lease = json!({
                "metadata": { "name": component },
                "spec": { "holderIdentity": leader, "leaseDurationSeconds": 15 },
            });
            self.seed(&key, lease, &Writer::new(component, Part::Main), revisions);
        }
    }

    fn seed(&mut self, key: &Key, object: Value, writer: &Writer, revisions: &mut Revisions) {
        if let Ok(object) = object::created(key, object, writer, revisions.write()) {
            self.objects.insert(key.clone(), object);
        }
    }

    pub(crate) fn kubevirt_key(&self) -> Key {
        self.key(Resource::KubeVirts, kubevirt::name(&self.options))
    }

    pub(crate) fn hyperconverged_key(&self) -> Key {
        self.key(Resource::HyperConvergeds, hyperconverged::NAME)
    }

    /// The key of an object in the install namespace.
    pub(crate) fn key(&self, resource: Resource, name: &str) -> Key {
        Key {
            resource,
            namespace: self.options.namespace.clone(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Result<&Value, Refusal> {
        let none = || refusal::not_found(key.resource, &key.name);
        self.objects.get(key).ok_or_else(none)
    }

    pub(crate) fn list(&self, resource: Resource, namespace: &str) -> Vec<&Value> {
        let here = |key: &Key| key.resource == resource && key.namespace == namespace;
        let objects = self.objects.iter();
        objects
            .filter_map(|(key, object)| here(key).then_some(object))
            .collect()
    }

    pub(crate) fn create(
        &mut self,
        key: &Key,
        object: Value,
        writer: &Writer,
        revisions: &mut Revisions,
    ) -> Result<Value, Refusal> {
        if self.objects.contains_key(key) {
            return Err(refusal::already_exists(key.resource, &key.name));
        }
        let object = object::created(key, object, writer, revisions.write())?;
        self.objects.insert(key.clone(), object.clone());
        Ok(object)
    }

    /// Writes the object if it is as it was read. One that stays the same keeps its revision.
    pub(crate) fn update(
        &mut self,
        key: &Key,
        mut asked: Value,
        writer: &Writer,
        revisions: &mut Revisions,
    ) -> Result<Value, Refusal> {
        let old = self.get(key)?;
        object::is_of(key, old, &asked)?;
        if key.resource == Resource::KubeVirts {
            kubevirt::prune(self.options.kubevirt, &mut asked);
        }
        let Some(mut new) = object::updated(key, old, asked, writer)? else {
            return Ok(old.clone());
        };
        if key.resource == Resource::HyperConvergeds && writer.part == Part::Main {
            hyperconverged::admit(old, &new)?;
        }
        new["metadata"]["resourceVersion"] = json!(revisions.write().to_string());
        self.objects.insert(key.clone(), new.clone());
        self.follow(key.resource, &new);
        Ok(new)
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Result<Value, Refusal> {
        let none = || refusal::not_found(key.resource, &key.name);
        self.objects.remove(key).ok_or_else(none)
    }

    /// Writes over whatever is there.
    pub(crate) fn rewrite(
        &mut self,
        key: &Key,
        writer: &Writer,
        revisions: &mut Revisions,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Refusal> {
        let old = self.get(key)?;
        let mut new = old.clone();
        change(&mut new);
        for field in ["uid", "resourceVersion"] {
            new["metadata"][field] = old["metadata"][field].clone();
        }
        self.update(key, new, writer, revisions)
    }
}
