//! The gate: what turns KubeVirt's profiler on, and how it is put back.
//!
//! Where HyperConverged owns the KubeVirt object, the only way is one more operation in an annotation
//! that others may have operations in; elsewhere it is the KubeVirt object itself. Everything is
//! written only where the object is as it was read.

mod change;
mod command;
mod effective;
mod fault;
mod object;
mod splice;
mod switch;
mod tries;

pub use change::{Change, Owner};
pub use effective::configuration;
pub use fault::GateError;
pub use splice::{NoPatch, add, operations, remove};
pub use switch::{Lacking, Switch};
pub use tries::{Tries, Written};

use object::{Object, Read, Write};
use serde_json::json;

use super::call::Connection;
use super::install::Install;

/// A change that is worked out and not made yet.
#[derive(Debug)]
pub struct Plan {
    /// What it changes, for the record.
    pub change: Change,
    object: Object,
    read: Read,
    write: Write,
}

impl Plan {
    /// The object that is changed, by kind and name.
    pub fn object(&self) -> &str {
        &self.object.what
    }

    /// Makes the change, by one try.
    ///
    /// # Errors
    /// It was refused.
    pub async fn apply(&self) -> Result<Written, GateError> {
        self.object.write(&self.read, &self.write).await
    }

    /// The command by which a person makes it.
    pub fn command(&self, install: &Install) -> String {
        match &self.write {
            Write::Configuration(patch) => command::configure(install, patch),
            Write::Annotation(text) => {
                command::annotate(install, text.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The command as far as it can be known by an account that may not read what it changes.
pub fn unread_command(install: &Install, switch: Switch) -> String {
    let configuration = &install.configuration;
    if !install.is_hyperconverged() {
        return command::configure(install, &switch.turn_on(configuration));
    }
    let operation = switch.operation(Lacking::of(configuration));
    let command = command::annotate(install, &format!("[{operation}]"));
    format!("{command} (if it has that annotation already, add the operation to its array instead)")
}

/// Works out how to turn the profiler on; `None` where the configuration has it on already.
///
/// # Errors
/// The annotation is no patch, or the API server failed.
pub async fn plan(
    connection: &Connection,
    install: &Install,
    switch: Switch,
) -> Result<Option<Plan>, GateError> {
    let kubevirt = Object::new(connection, install, Owner::KubeVirt);
    let kubevirt_read = kubevirt.read().await?;
    if !install.is_hyperconverged() {
        return Ok(plan_kubevirt(switch, kubevirt, kubevirt_read));
    }
    let object = Object::new(connection, install, Owner::HyperConverged);
    let read = object.read().await?;
    let there = read
        .annotation
        .as_deref()
        .filter(|text| !text.trim().is_empty());
    let text = there.unwrap_or("[]");
    let fault = |fault| object.no_patch(fault);
    let operations = operations(text).map_err(fault)?;
    let configuration = configuration(&kubevirt_read.configuration, &operations);
    if switch.is_on(&configuration) {
        return Ok(None);
    }
    let change = Change {
        owner: Owner::HyperConverged,
        switch,
        lacking: Lacking::of(&configuration),
        was: None,
        annotation_is_ours: there.is_none(),
    };
    let text = add(text, &change.operation()).map_err(fault)?;
    Ok(Some(Plan {
        change,
        object,
        read,
        write: Write::Annotation(Some(text)),
    }))
}

fn plan_kubevirt(switch: Switch, object: Object, read: Read) -> Option<Plan> {
    if switch.is_on(&read.configuration) {
        return None;
    }
    let change = Change {
        owner: Owner::KubeVirt,
        switch,
        lacking: Lacking::of(&read.configuration),
        was: Switch::field(&read.configuration),
        annotation_is_ours: false,
    };
    let write = Write::Configuration(switch.turn_on(&read.configuration));
    Some(Plan {
        change,
        object,
        read,
        write,
    })
}

/// Whether the operator has taken over what the configuration says, and that has the profiler on, or
/// off.
///
/// # Errors
/// The API server failed.
pub async fn is_settled(
    connection: &Connection,
    install: &Install,
    (switch, on): (Switch, bool),
) -> Result<bool, GateError> {
    let read = Object::new(connection, install, Owner::KubeVirt)
        .read()
        .await?;
    Ok(read.settled && switch.is_on(&read.configuration) == on)
}

/// Whether the object whose word counts has the profiler on, whoever wants it so.
///
/// # Errors
/// The annotation is no patch, or the API server failed.
pub async fn is_wanted(
    connection: &Connection,
    install: &Install,
    switch: Switch,
) -> Result<bool, GateError> {
    let object = Object::new(connection, install, owner(install));
    let read = object.read().await?;
    if !install.is_hyperconverged() {
        return Ok(switch.is_on(&read.configuration));
    }
    // What HyperConverged begins with, as far as the switch goes.
    let base = json!({ "developerConfiguration": { "featureGates": [] } });
    let text = read.annotation.unwrap_or_default();
    let operations = match text.trim() {
        "" => Vec::new(),
        text => operations(text).map_err(|fault| object.no_patch(fault))?,
    };
    Ok(switch.is_on(&configuration(&base, &operations)))
}

/// Undoes one change, and nothing that others wrote since. `false`: it was gone already.
///
/// # Errors
/// It is refused, others write all the time, or the API server failed.
pub async fn restore(
    connection: &Connection,
    install: &Install,
    change: &Change,
) -> Result<bool, GateError> {
    let object = Object::new(connection, install, change.owner);
    let (mut tries, mut ours) = (Tries::new(connection), false);
    loop {
        let read = object.read().await?;
        let Some(write) = undoing(&object, &read, change)? else {
            return Ok(ours);
        };
        let written = object.write(&read, &write).await?;
        if matches!(written, Written::Done) {
            return Ok(true);
        }
        ours |= matches!(written, Written::Unknown(_));
        tries.again(written, &object.what).await?;
    }
}

/// What undoes a change, as the object is now; `None` where somebody has done so already.
fn undoing(object: &Object, read: &Read, change: &Change) -> Result<Option<Write>, GateError> {
    if change.owner == Owner::KubeVirt {
        let before = (change.lacking, change.was);
        let patch = change.switch.turn_off(&read.configuration, before);
        return Ok(patch.map(Write::Configuration));
    }
    let text = read.annotation.as_deref().unwrap_or("[]");
    let removed = remove(text, &change.operation()).map_err(|fault| object.no_patch(fault))?;
    Ok(removed.map(|(text, left)| {
        let keep = left > 0 || !change.annotation_is_ours;
        Write::Annotation(keep.then_some(text))
    }))
}

/// Who else writes what turns the profiler on, the latest first.
///
/// # Errors
/// The API server failed.
pub async fn rivals(connection: &Connection, install: &Install) -> Result<Vec<String>, GateError> {
    Object::new(connection, install, owner(install))
        .rivals()
        .await
}

fn owner(install: &Install) -> Owner {
    match install.is_hyperconverged() {
        true => Owner::HyperConverged,
        false => Owner::KubeVirt,
    }
}
