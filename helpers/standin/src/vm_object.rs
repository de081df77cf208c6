//! The objects of virtual machines, shaped as KubeVirt's, with little in them.

use std::fmt::Write;

use crate::vms::{Fate, Vm, VmKind};

/// The object as JSON, or its metadata alone.
pub(crate) fn json(kind: VmKind, vm: &Vm, metadata_only: bool) -> String {
    let metadata = metadata(kind, vm);
    let word = kind.kind();
    if metadata_only {
        return format!(
            r#"{{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{metadata}}}"#
        );
    }
    let (spec, status) = match kind {
        VmKind::Machine => (
            format!(r#"{{"runStrategy":"Always","template":{{"spec":{SPEC}}}}}"#),
            r#"{"created":true,"printableStatus":"Starting"}"#.to_owned(),
        ),
        VmKind::Instance => (SPEC.to_owned(), status(vm)),
    };
    format!(
        r#"{{"apiVersion":"kubevirt.io/v1","kind":"{word}","metadata":{metadata},"spec":{spec},"status":{status}}}"#
    )
}

const SPEC: &str = r#"{"architecture":"amd64","domain":{"cpu":{"cores":1,"model":"host-model","sockets":1,"threads":1},"devices":{"disks":[{"disk":{"bus":"virtio"},"name":"containerdisk"}],"interfaces":[{"masquerade":{},"name":"default"}],"rng":{}},"features":{"acpi":{"enabled":true}},"firmware":{"uuid":"6a1a24a1-4061-4607-8bf4-a3963d0c5895"},"machine":{"type":"q35"},"memory":{"guest":"128Mi"},"resources":{"requests":{"memory":"128Mi"}}},"evictionStrategy":"None","networks":[{"name":"default","pod":{}}],"terminationGracePeriodSeconds":0,"volumes":[{"containerDisk":{"image":"quay.io/kubevirt/cirros-container-disk-demo:v1.8.4","imagePullPolicy":"IfNotPresent"},"name":"containerdisk"}]}"#;

fn metadata(kind: VmKind, vm: &Vm) -> String {
    let (key, value) = &vm.label;
    let known = &vm.known;
    let created = match (kind, known.vm_created) {
        (VmKind::Machine, Some(created)) => created,
        (VmKind::Machine, None) | (VmKind::Instance, _) => known.created,
    };
    let mut text = format!(
        r#"{{"annotations":{{"kubevirt.io/latest-observed-api-version":"v1","kubevirt.io/storage-observed-api-version":"v1"}},"creationTimestamp":"{}","finalizers":["kubevirt.io/virtualMachineControllerFinalize"],"generation":3,"labels":{{"{key}":"{value}","kubevirt.io/domain":"{}"}},"managedFields":[{{"apiVersion":"kubevirt.io/v1","fieldsType":"FieldsV1","fieldsV1":{{"f:status":{{"f:phase":{{}}}}}},"manager":"virt-controller","operation":"Update","time":"{}"}}],"name":"{}","namespace":"{}""#,
        time(created),
        known.name,
        time(created),
        known.name,
        known.namespace,
    );
    if let Some(owner) = &vm.owner {
        let _ = write!(
            text,
            r#","ownerReferences":[{{"apiVersion":"kubevirt.io/v1","blockOwnerDeletion":true,"controller":true,"kind":"VirtualMachine","name":"{}","uid":"{owner}"}}]"#,
            known.name
        );
    }
    let _ = write!(
        text,
        r#","resourceVersion":"{}","uid":"{}"}}"#,
        vm.revision, vm.uid
    );
    text
}

fn status(vm: &Vm) -> String {
    let known = &vm.known;
    let Some((phase, _)) = known.phases.last() else {
        return "{}".to_owned();
    };
    let mut text = format!(
        r#"{{"activePods":{{"{}":"worker-1.example.com"}},"conditions":["#,
        vm.uid
    );
    let (ready, word) = match known.ready {
        Some(ready) => (ready, "True"),
        None => (known.created, "False"),
    };
    let _ = write!(
        text,
        r#"{{"lastProbeTime":null,"lastTransitionTime":"{}","status":"{word}","type":"Ready"}},{{"lastProbeTime":null,"lastTransitionTime":null,"status":"True","type":"LiveMigratable"}}],"guestOSInfo":{{}},"launcherContainerImageVersion":"quay.io/kubevirt/virt-launcher:v1.8.4","nodeName":"worker-1.example.com","phase":"{phase}""#,
        time(ready)
    );
    if known.fate != Fate::HasNoTimes {
        text.push_str(r#","phaseTransitionTimestamps":["#);
        for (index, (phase, at)) in known.phases.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(
                text,
                r#"{comma}{{"phase":"{phase}","phaseTransitionTimestamp":"{}"}}"#,
                time(*at)
            );
        }
        text.push(']');
    }
    text.push_str(r#","qosClass":"Burstable","runtimeUser":107,"virtualMachineRevisionName":""}"#);
    text
}

/// A time in whole seconds, as metav1.Time has it.
fn time(millis: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(millis / 1000);
    humantime::format_rfc3339_seconds(at).to_string()
}
