//! How the profiler can be turned on in this cluster: by a change that is worked out and not made yet,
//! or by the command with which a person makes it.

use serde_json::{Value, json};

use super::annotation::{ANNOTATION, add_operation, effective_configuration, parse_operations};
use super::change::{Change, Owner, SwitchError};
use super::mechanism::{Lacking, Mechanism};
use super::object::{Object, Read, Write};
use super::schema::installed_mechanism;
use super::write_tries::Written;
use crate::cluster::call::Connection;
use crate::cluster::install::Install;
use crate::limits::ADVICE_WAIT;

/// A change that is worked out and not made yet.
#[derive(Debug)]
pub struct Plan {
    /// What it changes, for the journal.
    pub change: Change,
    object: Object,
    read: Read,
    write: Write,
}

/// What a person is told to do about a profiler that is off.
#[derive(Debug)]
pub enum Advice {
    /// To wait: it is turned on already, and not known everywhere yet.
    Wait,
    /// To turn it on with this command.
    Command(String),
}

/// Works out how to turn the profiler on; `None` where the configuration has it on already.
///
/// # Errors
/// The annotation is no patch, or the API server failed.
pub async fn plan_change(
    connection: &Connection,
    install: &Install,
    mechanism: Mechanism,
) -> Result<Option<Plan>, SwitchError> {
    let kubevirt = Object::new(connection, install, Owner::KubeVirt);
    let kubevirt_read = kubevirt.read().await?;
    if !install.is_hyperconverged() {
        return Ok(plan_kubevirt(mechanism, kubevirt, kubevirt_read));
    }
    let object = Object::new(connection, install, Owner::HyperConverged);
    let read = object.read().await?;
    let annotation = read
        .annotation
        .as_deref()
        .filter(|text| !text.trim().is_empty());
    let annotation_is_ours = annotation.is_none();
    let before = annotation.unwrap_or("[]");
    let operations = parse_operations(before).map_err(|fault| object.no_patch(fault))?;
    let configuration = effective_configuration(&kubevirt_read.configuration, &operations);
    if mechanism.is_on(&configuration) {
        return Ok(None);
    }
    let change = Change {
        owner: Owner::HyperConverged,
        mechanism,
        lacking: Lacking::of(&configuration),
        field: None,
        annotation_is_ours,
    };
    let after =
        add_operation(before, &change.operation()).map_err(|fault| object.no_patch(fault))?;
    Ok(Some(Plan {
        change,
        object,
        read,
        write: Write::Annotation(Some(after)),
    }))
}

fn plan_kubevirt(mechanism: Mechanism, object: Object, read: Read) -> Option<Plan> {
    if mechanism.is_on(&read.configuration) {
        return None;
    }
    let change = Change {
        owner: Owner::KubeVirt,
        mechanism,
        lacking: Lacking::of(&read.configuration),
        field: Mechanism::field(&read.configuration),
        annotation_is_ours: false,
    };
    let write = Write::Configuration(mechanism.turn_on(&read.configuration));
    Some(Plan {
        change,
        object,
        read,
        write,
    })
}

/// The command that turns the profiler on for this installation, with all that others have set. Where
/// its schema cannot be read, that is said, with the command for KubeVirt 1.8 and later.
pub async fn advice(connection: &Connection, install: &Install) -> Advice {
    let installed = tokio::time::timeout(ADVICE_WAIT, installed_mechanism(connection)).await;
    let (mechanism, doubt) = match installed {
        Ok(Ok(mechanism)) => (mechanism, String::new()),
        Ok(Err(error)) => (Mechanism::Field, unknown(&error.to_string())),
        Err(_) => (Mechanism::Field, unknown("it did not come")),
    };
    let planned =
        tokio::time::timeout(ADVICE_WAIT, plan_change(connection, install, mechanism)).await;
    let command = match planned {
        Ok(Ok(Some(plan))) => plan.command(install),
        Ok(Ok(None)) => return Advice::Wait,
        Ok(Err(_)) | Err(_) => unread_command(install, mechanism),
    };
    Advice::Command(command + &doubt)
}

fn unknown(why: &str) -> String {
    format!("\n(for KubeVirt 1.8 and later; its schema could not be read: {why})")
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
    pub async fn apply(&self) -> Result<Written, SwitchError> {
        self.object.write(&self.read, &self.write).await
    }

    fn command(&self, install: &Install) -> String {
        match &self.write {
            Write::Configuration(patch) => patch_command(install, patch),
            Write::Annotation(text) => {
                annotate_command(install, text.as_deref().unwrap_or_default())
            }
        }
    }
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wait => f.write_str(
                "its configuration turns it on already, but virt-api has not taken that over yet: \
                 try again in a few minutes; if it is off then, see the status of the KubeVirt \
                 object and virt-api's log",
            ),
            Self::Command(command) => write!(f, "turn it on: {command}"),
        }
    }
}

/// The command as far as it can be known by an account that may not read what it changes.
fn unread_command(install: &Install, mechanism: Mechanism) -> String {
    let configuration = &install.configuration;
    if !install.is_hyperconverged() {
        return patch_command(install, &mechanism.turn_on(configuration));
    }
    let operation = mechanism.operation(Lacking::of(configuration));
    let command = annotate_command(install, &format!("[{operation}]"));
    format!("{command} (if it has that annotation already, add the operation to its array instead)")
}

/// The command that patches the KubeVirt object's `spec.configuration`.
fn patch_command(install: &Install, configuration: &Value) -> String {
    let Install {
        namespace, name, ..
    } = install;
    let patch = json!({ "spec": { "configuration": configuration } });
    let argument = quoted(&patch.to_string());
    format!("kubectl -n {namespace} patch kubevirt {name} --type=merge -p {argument}")
}

/// The command that sets HyperConverged's annotation.
fn annotate_command(install: &Install, text: &str) -> String {
    let namespace = &install.namespace;
    let name = install.hyperconverged.as_deref().unwrap_or_default();
    let annotation = quoted(&format!("{ANNOTATION}={text}"));
    format!("oc -n {namespace} annotate --overwrite hyperconverged {name} {annotation}")
}

/// A text as one word of a shell's command.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
