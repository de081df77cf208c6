//! Continue tokens: one for every single pod, made just ahead of use.
//!
//! virt-api hands a dump's continue token to kube-apiserver's pod LIST as it is. So a LIST of our
//! own with limit 1 holds a token for each pod, and pods can be dumped one at a time.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use super::call::{CallError, Connection};
use crate::limits::TOKEN_EXCHANGES;

/// Walks a pod LIST, a pod at a time.
#[derive(Debug)]
pub struct Walker {
    list: PodList,
    next: Option<String>,
}

/// A pod and the token of the page that begins with it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The pod's name.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The token; empty for the first pod.
    pub token: String,
}

/// The LIST that a token belongs to: a token is no good with another selector.
#[derive(Debug, Clone)]
pub struct PodList {
    /// The API server.
    pub connection: Connection,
    /// The pods' namespace.
    pub namespace: String,
    /// The pods' label selector.
    pub selector: String,
}

/// A page of one pod, or the token to go on with instead of a stale one.
enum Page {
    One(Option<(String, String)>, Option<String>),
    Fresh(String),
}

impl Walker {
    /// Begins at the LIST's first pod.
    pub fn new(list: PodList) -> Self {
        Self {
            list,
            next: Some(String::new()),
        }
    }

    /// The next pod, or `None` at the LIST's end.
    ///
    /// # Errors
    /// The API server failed.
    pub async fn next(&mut self) -> Result<Option<Step>, CallError> {
        while let Some(token) = self.next.take() {
            let (token, pod, next) = self.list.page(token).await?;
            self.next = next;
            if let Some((pod, uid)) = pod {
                return Ok(Some(Step { pod, uid, token }));
            }
        }
        Ok(None)
    }
}

impl PodList {
    /// Exchanges a stale token for one that goes on at the same pod. One that is good after all
    /// comes back as it is.
    ///
    /// # Errors
    /// The API server failed.
    pub async fn refresh(&self, token: &str) -> Result<String, CallError> {
        match self.list(token).await? {
            Page::Fresh(token) => Ok(token),
            Page::One(..) => Ok(token.to_owned()),
        }
    }

    /// The pod at a token, the token that was good for it, and the next one.
    async fn page(
        &self,
        mut token: String,
    ) -> Result<(String, Option<(String, String)>, Option<String>), CallError> {
        for _ in 0..TOKEN_EXCHANGES {
            match self.list(&token).await? {
                Page::Fresh(fresh) => token = fresh,
                Page::One(pod, next) => return Ok((token, pod, next)),
            }
        }
        Err(CallError::Transport {
            call: format!("list pods in {}", self.namespace),
            detail: format!("{TOKEN_EXCHANGES} continue tokens in a row were stale at once"),
        })
    }

    async fn list(&self, token: &str) -> Result<Page, CallError> {
        let api: Api<Pod> = Api::namespaced(self.connection.client.clone(), &self.namespace);
        let mut params = ListParams::default().labels(&self.selector).limit(1);
        if !token.is_empty() {
            params = params.continue_token(token);
        }
        let call = format!("list pods in {} one at a time", self.namespace);
        let page = self
            .connection
            .call(&call, || api.list_metadata(&params))
            .await;
        match page {
            Ok(page) => {
                let pod = page.items.into_iter().next().map(|pod| pod.metadata);
                let pod =
                    pod.map(|meta| (meta.name.unwrap_or_default(), meta.uid.unwrap_or_default()));
                Ok(Page::One(
                    pod,
                    page.metadata.continue_.filter(|token| !token.is_empty()),
                ))
            }
            Err(CallError::Answer {
                code: 410,
                continue_token: Some(fresh),
                ..
            }) => Ok(Page::Fresh(fresh)),
            Err(error) => Err(error),
        }
    }
}
