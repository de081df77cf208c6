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

pub use change::{Change, Owner};
pub use effective::configuration;
pub use fault::GateError;
pub use splice::{NoPatch, add, operations, remove};
pub use switch::{Lacking, Switch};

use object::{Object, Read};
use serde_json::Value;

use super::call::Connection;
use super::install::Install;

/// How often a write is tried that others get in between of.
pub const CONFLICTS: usize = 20;

/// A change that is worked out and not made yet.
#[derive(Debug)]
pub struct Plan {
    /// What it changes, for the record.
    pub change: Change,
    object: Object,
    read: Read,
    write: Write,
}

#[derive(Debug)]
enum Write {
    Configuration(Value),
    Annotation(String),
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is made.
    Done,
    /// Somebody else wrote first: it has to be worked out anew.
    Conflict,
}

impl Plan {
    /// The object that is changed, by kind and name.
    pub fn object(&self) -> &str {
        &self.object.what
    }

    /// Makes the change.
    ///
    /// # Errors
    /// It was refused, or the API server failed.
    pub async fn apply(&self) -> Result<Applied, GateError> {
        let written = match &self.write {
            Write::Configuration(patch) => self.object.configure(&self.read, patch).await?,
            Write::Annotation(text) => self.object.annotate(&self.read, Some(text)).await?,
        };
        Ok(if written {
            Applied::Done
        } else {
            Applied::Conflict
        })
    }

    /// The command by which a person makes it.
    pub fn command(&self, install: &Install) -> String {
        match &self.write {
            Write::Configuration(patch) => command::configure(install, patch),
            Write::Annotation(text) => command::annotate(install, text),
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
        write: Write::Annotation(text),
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

/// Whether the operator has taken over what the configuration says, and it has the profiler on.
///
/// # Errors
/// The API server failed.
pub async fn is_settled(
    connection: &Connection,
    install: &Install,
    switch: Switch,
) -> Result<bool, GateError> {
    let read = Object::new(connection, install, Owner::KubeVirt)
        .read()
        .await?;
    Ok(read.settled && switch.is_on(&read.configuration))
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
    for _ in 0..CONFLICTS {
        let read = object.read().await?;
        let written = match change.owner {
            Owner::KubeVirt => {
                let before = (change.lacking, change.was);
                let Some(patch) = change.switch.turn_off(&read.configuration, before) else {
                    return Ok(false);
                };
                object.configure(&read, &patch).await?
            }
            Owner::HyperConverged => {
                let text = read.annotation.as_deref().unwrap_or("[]");
                let removed = remove(text, &change.operation());
                let removed = removed.map_err(|fault| object.no_patch(fault))?;
                let Some((text, left)) = removed else {
                    return Ok(false);
                };
                let keep = left > 0 || !change.annotation_is_ours;
                object.annotate(&read, keep.then_some(&*text)).await?
            }
        };
        if written {
            return Ok(true);
        }
    }
    Err(GateError::Busy {
        object: object.what,
    })
}

/// Who else writes what turns the profiler on, the latest first.
///
/// # Errors
/// The API server failed.
pub async fn rivals(connection: &Connection, install: &Install) -> Result<Vec<String>, GateError> {
    let owner = match install.is_hyperconverged() {
        true => Owner::HyperConverged,
        false => Owner::KubeVirt,
    };
    Object::new(connection, install, owner).rivals().await
}
