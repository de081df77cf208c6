//! A pod of the rendered manifests, on this machine.

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::cluster::{Cluster, Data};
use crate::container::{Plan, Running};
use crate::environment::environment;
use crate::manifests::Objects;
use crate::podman;
use crate::volumes::{Volumes, fs_group};

/// A pod that a node has taken.
pub(crate) struct Pod<'a> {
    cluster: &'a Cluster,
    objects: Objects,
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: PodSpec,
    pub(crate) volumes: Volumes,
}

impl<'a> Pod<'a> {
    /// The pod that these objects make: a Job's has this name, and the labels of its controller.
    pub(crate) fn new(cluster: &'a Cluster, objects: Objects, job: &str) -> Self {
        let template = objects.pod();
        let mut metadata = template.metadata.unwrap_or_default();
        let namespace = metadata
            .namespace
            .get_or_insert("cluster-profiler".to_owned());
        let spec = template.spec.expect("a pod has a spec");
        let volumes = Volumes::new(&spec, cluster, namespace);
        let uid = format!("{:08x}-0000-4000-8000-000000000000", fastrand::u32(..));
        let labels = metadata.labels.get_or_insert_default();
        for (label, value) in [("job-name", job), ("controller-uid", &uid)] {
            labels.insert(format!("batch.kubernetes.io/{label}"), value.to_owned());
        }
        metadata.name = Some(format!("{job}-x7k2p"));
        metadata.uid = Some(uid);
        Self {
            cluster,
            objects,
            metadata,
            spec,
            volumes,
        }
    }

    /// A container's part of the manifest.
    pub(crate) fn container(&self, name: &str) -> &Container {
        let mut containers = self.spec.containers.iter();
        let found = containers.find(|container| container.name == name);
        found.unwrap_or_else(|| panic!("no container {name}"))
    }

    /// A container's environment.
    pub(crate) fn environment(&self, name: &str) -> Data {
        let container = self.container(name);
        environment(container, &self.metadata, &self.objects, self.cluster)
    }

    /// What the kubelet runs in a container to know whether it is ready.
    pub(crate) fn readiness(&self, name: &str) -> Vec<String> {
        let probe = self.container(name).readiness_probe.clone();
        let command = probe.and_then(|probe| probe.exec?.command);
        command.expect("a probe that runs a command")
    }

    /// Starts a container.
    pub(crate) fn start(&self, name: &str) -> Running {
        let image = self.container(name).image.clone();
        self.start_image(name, &image.expect("an image"))
    }

    /// Starts a container with another image than the manifest's, which is a placeholder.
    pub(crate) fn start_image(&self, name: &str, image: &str) -> Running {
        let container = self.container(name);
        let context = self.spec.security_context.clone().unwrap_or_default();
        assert_eq!(context.run_as_non_root, Some(true));
        assert_eq!((context.run_as_user, context.run_as_group), (None, None));
        let mut arguments = podman::of_container(container);
        let user = self.cluster.identity.user;
        arguments.push(format!("--user={user}"));
        if let Some(group) = fs_group(&self.spec, self.cluster) {
            arguments.push(format!("--group-add={group}"));
        }
        let environment = self.environment(name);
        for (variable, value) in &environment {
            arguments.push(format!("--env={variable}={value}"));
        }
        let log = self.volumes.termination_log(name);
        arguments.push(format!("--volume={}:/dev/termination-log", log.display()));
        for mount in container.volume_mounts.iter().flatten() {
            let mode = if mount.read_only == Some(true) {
                "ro"
            } else {
                "rw"
            };
            let from = self.volumes.path(&mount.name).display();
            arguments.push(format!("--volume={from}:{}:{mode}", mount.mount_path));
        }
        let (entrypoint, words) = podman::command_line(container, &environment);
        Running::start(Plan {
            arguments,
            image: image.to_owned(),
            entrypoint,
            words,
            termination_log: log,
            scratch: self.volumes.scratch(),
            scratch_limit: Volumes::scratch_limit(&self.spec),
            grace: self.spec.termination_grace_period_seconds.unwrap_or(30),
        })
    }
}
