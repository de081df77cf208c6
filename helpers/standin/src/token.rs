//! Continue tokens of a pod LIST: opaque to the client, a revision and a key to the API server.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

const VERSION: &str = "meta.k8s.io/v1";

/// The revision of a token that goes on with what is there now, whatever the first page saw.
pub(crate) const INCONSISTENT: i64 = -1;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    #[serde(rename = "v")]
    version: String,
    /// The revision the whole chain of pages shows.
    #[serde(rename = "rv")]
    pub(crate) revision: i64,
    /// The key to go on at: the last pod's name and a NUL, the smallest key after it.
    #[serde(rename = "start")]
    pub(crate) start: String,
    /// The selector it was made for: with another one it leads nowhere.
    #[serde(rename = "sel", default)]
    pub(crate) selector: String,
}

impl Token {
    /// A token that goes on behind the pod of this name.
    pub(crate) fn after(name: &str, revision: i64, selector: String) -> Self {
        Self {
            version: VERSION.to_owned(),
            revision,
            start: format!("{name}\0"),
            selector,
        }
    }

    /// The same place, as it is now.
    pub(crate) fn inconsistent(self) -> Self {
        Self {
            revision: INCONSISTENT,
            ..self
        }
    }

    /// The text a client is given.
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("a struct of strings and numbers is JSON");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads what a client sent; the error is the API server's.
    pub(crate) fn decode(text: &str) -> Result<Self, String> {
        let invalid =
            |why: String| format!("invalid continue token: continue key is not valid{why}");
        let json = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|error| invalid(format!(": illegal base64 data: {error}")))?;
        let token: Self =
            serde_json::from_slice(&json).map_err(|error| invalid(format!(": {error}")))?;
        if token.version != VERSION {
            return Err(invalid(format!(
                ": server does not recognize this encoded version {}",
                token.version
            )));
        }
        if token.revision == 0 {
            return Err(invalid(
                ": incorrect encoded start resourceVersion".to_owned(),
            ));
        }
        if token.start.is_empty() {
            return Err(invalid(": encoded start key empty".to_owned()));
        }
        Ok(token)
    }
}
