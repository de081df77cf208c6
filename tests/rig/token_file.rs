//! A kubeconfig whose token is in a file, as a kubelet has it: one that can be taken away, and replaced.

use std::path::PathBuf;

use crate::setup::{ACCOUNT, Rig};

/// The token file of the account that runs. A token lives as long as a Secret of its own.
pub(crate) struct TokenFile<'a> {
    rig: &'a Rig,
}

impl<'a> TokenFile<'a> {
    pub(crate) fn of(rig: &'a Rig) -> Self {
        let file = Self { rig };
        file.write("first-token");
        let account = std::fs::read_to_string(rig.account()).expect("a kubeconfig");
        let (before, rest) = account.split_once("token: \"").expect("a token");
        let (_, after) = rest.split_once('"').expect("its end");
        let path = file.path().display().to_string();
        let kubeconfig = format!("{before}tokenFile: \"{path}\"{after}");
        std::fs::write(file.kubeconfig(), kubeconfig).expect("a kubeconfig");
        file
    }

    fn path(&self) -> PathBuf {
        self.rig.path("account.token")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.rig.path("token-file.kubeconfig")
    }

    /// Writes a token that is good as long as this Secret is there.
    fn write(&self, secret: &str) {
        let of = ["-n", ACCOUNT];
        let made = [&of[..], &["create", "secret", "generic", secret]].concat();
        self.rig.kubectl(&made);
        let bound = [
            "create",
            "token",
            ACCOUNT,
            "--bound-object-kind=Secret",
            "--bound-object-name",
            secret,
        ];
        let token = self.rig.kubectl(&[&of[..], &bound].concat());
        std::fs::write(self.path(), token.trim()).expect("a token");
    }

    /// Puts another in its place, and has the first be refused: by then it may be known to the API server for ten
    /// seconds, and to whoever has read the file for a minute.
    pub(crate) fn replace(&self) {
        self.write("second-token");
        self.rig
            .kubectl(&["-n", ACCOUNT, "delete", "secret", "first-token"]);
    }
}

impl Drop for TokenFile<'_> {
    fn drop(&mut self) {
        let secrets = [
            "secret",
            "first-token",
            "second-token",
            "--ignore-not-found",
        ];
        self.rig
            .kubectl(&[&["-n", ACCOUNT, "delete"][..], &secrets].concat());
    }
}
