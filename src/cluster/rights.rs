//! The rights that a run needs, asked for before anything is changed.

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use super::call::{CallError, Connection};
use super::install::Install;
use super::lease;

/// A right: one verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// The verb.
    pub verb: &'static str,
    /// The namespace; `None` is the whole cluster.
    pub namespace: Option<String>,
    /// The object's name; `None` is all objects.
    pub name: Option<String>,
}

/// The reason that the rights are not known to suffice.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The account lacks rights; the message has the rules to add.
    #[error("{}", describe(missing))]
    Missing {
        /// The rights.
        missing: Vec<Right>,
    },
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The rights that every run needs in the whole cluster.
pub fn cluster_wide() -> Vec<Right> {
    let profiler = |resource| Right {
        group: "subresources.kubevirt.io",
        resource,
        verb: "list",
        namespace: None,
        name: None,
    };
    vec![
        profiler("start-cluster-profiler"),
        profiler("stop-cluster-profiler"),
        profiler("dump-cluster-profiler"),
    ]
}

/// The rights that every run needs.
pub fn needed(namespace: &str) -> Vec<Right> {
    let local = |group, resource, verb| Right {
        group,
        resource,
        verb,
        namespace: Some(namespace.to_owned()),
        name: None,
    };
    let lease = |verb| Right {
        name: Some(lease::NAME.to_owned()),
        ..local("coordination.k8s.io", "leases", verb)
    };
    let mut rights = cluster_wide();
    rights.push(local("", "pods", "list"));
    rights.push(local("kubevirt.io", "kubevirts", "list"));
    // A create has no name yet, and RBAC cannot limit it to one.
    rights.push(local("coordination.k8s.io", "leases", "create"));
    rights.extend([lease("get"), lease("update")]);
    rights
}

/// The rights that a run needs besides, to turn the profiler on and off.
pub fn to_switch(install: &Install) -> Vec<Right> {
    let right = |group, resource, verb, name: &str| Right {
        group,
        resource,
        verb,
        namespace: Some(install.namespace.clone()),
        name: Some(name.to_owned()),
    };
    let mut rights = vec![right("kubevirt.io", "kubevirts", "get", &install.name)];
    match &install.hyperconverged {
        None => rights.push(right("kubevirt.io", "kubevirts", "patch", &install.name)),
        Some(name) => {
            let verb = |verb| right("hco.kubevirt.io", "hyperconvergeds", verb, name);
            rights.extend([verb("get"), verb("patch")]);
        }
    }
    rights
}

/// The rights that a run needs besides, to follow virtual machine instances.
pub fn to_follow_vmis(namespace: Option<&str>) -> Vec<Right> {
    of_vms("virtualmachineinstances", namespace)
}

/// The rights by which latencies count from the creation of the virtual machine. A run goes without.
pub fn to_read_vms(namespace: Option<&str>) -> Vec<Right> {
    of_vms("virtualmachines", namespace)
}

fn of_vms(resource: &'static str, namespace: Option<&str>) -> Vec<Right> {
    let right = |verb| Right {
        group: "kubevirt.io",
        resource,
        verb,
        namespace: namespace.map(str::to_owned),
        name: None,
    };
    ["list", "watch"].map(right).into()
}

/// Checks the rights. Where the account may not even ask, that is warned of and nothing else.
///
/// # Errors
/// Some are missing, or the API server failed.
pub async fn check(connection: &Connection, rights: Vec<Right>) -> Result<(), RightsError> {
    let answers = try_join_all(rights.iter().map(|right| is_allowed(connection, right))).await;
    let answers = match answers {
        Err(error) if error.is_denied() => {
            tracing::warn!(%error, "cannot ask which rights this account has; going on without");
            return Ok(());
        }
        answers => answers?,
    };
    let missing: Vec<_> = rights
        .into_iter()
        .zip(answers)
        .filter_map(|(right, allowed)| (!allowed).then_some(right))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(RightsError::Missing { missing })
    }
}

async fn is_allowed(connection: &Connection, right: &Right) -> Result<bool, CallError> {
    let api: Api<SelfSubjectAccessReview> = Api::all(connection.client());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                resource: Some(right.resource.to_owned()),
                verb: Some(right.verb.to_owned()),
                namespace: right.namespace.clone(),
                name: right.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let params = PostParams::default();
    let review = connection
        .call("ask for this account's rights", || {
            api.create(&params, &review)
        })
        .await?;
    Ok(review.status.is_some_and(|status| status.allowed))
}

fn describe(missing: &[Right]) -> String {
    let (local, wide): (Vec<_>, Vec<_>) =
        missing.iter().partition(|right| right.namespace.is_some());
    let mut text = "this account lacks rights; add these rules".to_owned();
    if !wide.is_empty() {
        text += "\nto a ClusterRole bound to it:";
        wide.iter().for_each(|right| text += &rule(right));
    }
    if let Some(Right {
        namespace: Some(namespace),
        ..
    }) = local.first()
    {
        text += &format!("\nto a Role in the namespace {namespace} bound to it:");
        local.iter().for_each(|right| text += &rule(right));
    }
    text
}

fn rule(
    Right {
        group,
        resource,
        verb,
        name,
        ..
    }: &Right,
) -> String {
    let names = name
        .as_ref()
        .map(|name| format!("\n  resourceNames: [{name}]"))
        .unwrap_or_default();
    format!("\n- apiGroups: [\"{group}\"]\n  resources: [{resource}]{names}\n  verbs: [{verb}]")
}
