//! A copy of `deploy/`, edited as a user edits it, and what it renders to.

use std::path::PathBuf;
use std::sync::OnceLock;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::Data;
use crate::process::{command, said};

/// A user's copy.
pub(crate) struct Deploy {
    dir: TempDir,
}

/// What an overlay renders to.
pub(crate) struct Objects {
    yaml: String,
    objects: Vec<Value>,
}

impl Deploy {
    /// As it is in the repository.
    pub(crate) fn copied() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let from = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
        said(command("cp", &["-R", from]).arg(dir.path()));
        Self { dir }
    }

    fn file(&self, overlay: &str, name: &str) -> PathBuf {
        self.dir
            .path()
            .join(format!("deploy/overlays/{overlay}/{name}"))
    }

    fn edit(&self, overlay: &str, name: &str, edit: impl FnOnce(String) -> String) {
        let file = self.file(overlay, name);
        let text = std::fs::read_to_string(&file).expect("a file of the overlay");
        std::fs::write(&file, edit(text)).expect("the overlay's file");
    }

    /// Writes a setting into the overlay's settings.
    pub(crate) fn set(&self, overlay: &str, name: &str, value: &str) {
        self.edit(overlay, "settings.env", |text| {
            let other = |line: &&str| !line.starts_with(&format!("{name}="));
            let others: Vec<_> = text.lines().filter(other).collect();
            format!("{}\n{name}={value}\n", others.join("\n"))
        });
    }

    /// Lists one more component, before those that come last.
    pub(crate) fn add_component(&self, overlay: &str, name: &str) {
        let first = "  - ../../components/image\n";
        self.edit(overlay, "kustomization.yaml", |text| {
            assert!(text.contains(first), "{text}");
            text.replace(first, &format!("{first}  - ../../components/{name}\n"))
        });
    }

    /// What `kubectl kustomize` makes of a folder of `deploy/`.
    pub(crate) fn rendered(&self, folder: &str) -> Objects {
        let path = self.dir.path().join("deploy").join(folder);
        let yaml = said(command(kubectl(), &["kustomize"]).arg(path));
        let objects = serde_saphyr::from_multiple(&yaml);
        let objects = objects.unwrap_or_else(|error| panic!("{folder}: {error}"));
        Objects { yaml, objects }
    }
}

impl Objects {
    /// The text that `kubectl apply -k` would apply.
    pub(crate) fn yaml(&self) -> &str {
        &self.yaml
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let kind = kind.to_owned();
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind)
    }

    /// The data of a ConfigMap of this name.
    pub(crate) fn config_map(&self, name: &str) -> Option<Data> {
        let mut maps = self.of_kind("ConfigMap");
        let map = maps.find(|map| map["metadata"]["name"] == name)?;
        Some(serde_json::from_value(map["data"].clone()).unwrap_or_default())
    }

    /// The one pod that a CronJob, a Job or a Pod among them makes.
    pub(crate) fn pod(&self) -> PodTemplateSpec {
        let cron = self.of_kind("CronJob");
        let templates = cron.map(|cron| &cron["spec"]["jobTemplate"]["spec"]["template"]);
        let jobs = self.of_kind("Job").map(|job| &job["spec"]["template"]);
        let templates: Vec<_> = templates.chain(jobs).chain(self.of_kind("Pod")).collect();
        let [template] = templates[..] else {
            panic!("{} pods instead of one", templates.len());
        };
        serde_json::from_value(template.clone()).expect("a pod")
    }
}

/// The rig's kubectl, where it is built, or another one.
fn kubectl() -> &'static str {
    static KUBECTL: OnceLock<String> = OnceLock::new();
    KUBECTL.get_or_init(|| {
        let helpers = concat!(env!("CARGO_MANIFEST_DIR"), "/helpers/rig");
        let asked = r#"source "$0/lib.sh" && here=$0 && binary kubectl"#;
        let built = said(&mut command("bash", &["-c", asked, helpers]));
        let built = built.trim();
        let is_there = std::path::Path::new(built).exists();
        if is_there { built } else { "kubectl" }.to_owned()
    })
}
