//! The profiler's switch: what turns KubeVirt's profiler on, and how it is put back.
//!
//! - The *policy* is what the user allows: PROFILER_FEATURE_GATE, `config::EnablePolicy`.
//! - The [`Mechanism`] is what turns the profiler on in this version of KubeVirt: a field or a feature
//!   gate of KubeVirt's configuration.
//! - The *state* is whether virt-api lets anybody use the profiler: `profiler::ProfilerState`.
//!
//! Where HyperConverged owns the KubeVirt object, the only way to change the configuration is one more
//! operation in an annotation that others may have operations in; elsewhere it is the KubeVirt object
//! itself. Everything is written only where the object is as it was read.

mod annotation;
mod change;
mod mechanism;
mod object;
mod plan;
mod schema;
mod write_tries;

pub use annotation::{
    NotAPatch, add_operation, effective_configuration, parse_operations, remove_operation,
};
pub use change::{Change, Owner, SwitchError};
pub use mechanism::{Lacking, Mechanism};
pub use plan::{Advice, Plan, advice, plan_change};
pub use schema::installed_mechanism;
pub use write_tries::{WriteTries, Written};

use object::{Object, Read, Write};
use serde_json::json;

use super::call::Connection;
use super::install::Install;
use super::profiler::{self, ProfilerState};

/// What is waited for until the profiler is in this state: the operator's taking over what the configuration
/// says, and virt-api's knowing it. `None` once it is.
///
/// # Errors
/// The API server failed.
pub async fn lacking(
    connection: &Connection,
    install: &Install,
    mechanism: Mechanism,
    state: ProfilerState,
) -> Result<Option<String>, SwitchError> {
    let kubevirt = Object::new(connection, install, Owner::KubeVirt);
    let read = kubevirt.read().await?;
    let name = state.name();
    if let Some(unsettled) = read.unsettled() {
        return Ok(Some(unsettled));
    }
    if mechanism.is_on(&read.configuration) != (state == ProfilerState::On) {
        let (what, owner) = (&kubevirt.what, Owner::of(install).object(install));
        let lacking = format!("the profiler to be {name} in {what}, as {owner} says");
        return Ok(Some(lacking));
    }
    let knows = profiler::probe(connection).await? == state;
    Ok((!knows).then(|| format!("virt-api to know that the profiler is {name}")))
}

/// Whether KubeVirt's object has the profiler on, whatever virt-api knows of it.
///
/// # Errors
/// The API server failed.
pub async fn is_configured(
    connection: &Connection,
    install: &Install,
    mechanism: Mechanism,
) -> Result<bool, SwitchError> {
    let kubevirt = Object::new(connection, install, Owner::KubeVirt);
    Ok(mechanism.is_on(&kubevirt.read().await?.configuration))
}

/// Whether the object that decides has the profiler on, whoever wants it so.
///
/// # Errors
/// The annotation is no patch, or the API server failed.
pub async fn is_wanted(
    connection: &Connection,
    install: &Install,
    mechanism: Mechanism,
) -> Result<bool, SwitchError> {
    let object = Object::new(connection, install, Owner::of(install));
    let read = object.read().await?;
    if !install.is_hyperconverged() {
        return Ok(mechanism.is_on(&read.configuration));
    }
    // What HyperConverged begins with, as far as the mechanism goes.
    let base = json!({ "developerConfiguration": { "featureGates": [] } });
    let text = read.annotation.unwrap_or_default();
    let operations = match text.trim() {
        "" => Vec::new(),
        text => parse_operations(text).map_err(|fault| object.no_patch(fault))?,
    };
    Ok(mechanism.is_on(&effective_configuration(&base, &operations)))
}

/// Undoes one change, and nothing that others wrote since. `false`: it was gone already.
///
/// # Errors
/// It is refused, others write all the time, or the API server failed.
pub async fn restore(
    connection: &Connection,
    install: &Install,
    change: &Change,
) -> Result<bool, SwitchError> {
    let object = Object::new(connection, install, change.owner);
    let mut tries = WriteTries::new(connection);
    // Whether a try that was not answered may have undone it.
    let mut unsure = false;
    loop {
        let read = object.read().await?;
        let Some(write) = undoing(&object, &read, change)? else {
            return Ok(unsure);
        };
        let written = object.write(&read, &write).await?;
        if matches!(written, Written::Done) {
            return Ok(true);
        }
        unsure |= matches!(written, Written::Unknown(_));
        tries.again(written, &object.what).await?;
    }
}

/// The write that undoes a change of the object as it is now; `None` where somebody has done so
/// already.
fn undoing(object: &Object, read: &Read, change: &Change) -> Result<Option<Write>, SwitchError> {
    match change.owner {
        Owner::KubeVirt => {
            let mechanism = change.mechanism;
            let patch = mechanism.turn_off(&read.configuration, change.lacking, change.field);
            Ok(patch.map(Write::Configuration))
        }
        Owner::HyperConverged => {
            let before = read.annotation.as_deref().unwrap_or("[]");
            let removed = remove_operation(before, &change.operation());
            let after = removed.map_err(|fault| object.no_patch(fault))?;
            Ok(after.map(|(text, left)| {
                let keep = left > 0 || !change.annotation_is_ours;
                Write::Annotation(keep.then_some(text))
            }))
        }
    }
}

/// Who else writes what turns the profiler on, the latest first.
///
/// # Errors
/// The API server failed.
pub async fn other_writers(
    connection: &Connection,
    install: &Install,
) -> Result<Vec<String>, SwitchError> {
    let object = Object::new(connection, install, Owner::of(install));
    object.other_writers().await
}
