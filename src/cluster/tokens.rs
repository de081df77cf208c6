//! Continue tokens: one for every single pod, made just ahead of use.
//!
//! virt-api hands a dump's continue token to kube-apiserver's pod LIST as it is. So a LIST of our
//! own with limit 1 holds a token for each pod, and pods can be dumped one at a time.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use super::call::{CallError, Connection};
use crate::limits::TOKEN_EXCHANGES;

/// A walk through a pod LIST, a pod at a time.
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

/// A page of the LIST, and the token that it came for.
struct Page {
    token: String,
    listed: Listed,
}

/// What is on a page: at most one pod, and the next page's token.
struct Listed {
    pod: Option<ListedPod>,
    next: Option<String>,
}

struct ListedPod {
    name: String,
    uid: String,
}

/// The answer to a LIST with a token.
enum Answer {
    /// The page.
    Page(Listed),
    /// The token is stale, and this one goes on where it did.
    Stale(String),
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
            let Page { token, listed } = self.list.page(token).await?;
            self.next = listed.next;
            if let Some(pod) = listed.pod {
                return Ok(Some(Step {
                    pod: pod.name,
                    uid: pod.uid,
                    token,
                }));
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
            Answer::Stale(fresh) => Ok(fresh),
            Answer::Page(_) => Ok(token.to_owned()),
        }
    }

    /// The page at a token, or at the fresh one that came for it.
    async fn page(&self, mut token: String) -> Result<Page, CallError> {
        for _ in 0..TOKEN_EXCHANGES {
            match self.list(&token).await? {
                Answer::Stale(fresh) => token = fresh,
                Answer::Page(listed) => return Ok(Page { token, listed }),
            }
        }
        Err(CallError::Transport {
            call: format!("list pods in {}", self.namespace),
            detail: format!("{TOKEN_EXCHANGES} continue tokens in a row were stale at once"),
        })
    }

    async fn list(&self, token: &str) -> Result<Answer, CallError> {
        let api: Api<Pod> = Api::namespaced(self.connection.client(), &self.namespace);
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
            Ok(page) => Ok(Answer::Page(Listed {
                pod: page.items.into_iter().next().map(|pod| ListedPod {
                    name: pod.metadata.name.unwrap_or_default(),
                    uid: pod.metadata.uid.unwrap_or_default(),
                }),
                next: page.metadata.continue_.filter(|token| !token.is_empty()),
            })),
            Err(CallError::Answer {
                code: 410,
                continue_token: Some(fresh),
                ..
            }) => Ok(Answer::Stale(fresh)),
            Err(error) => Err(error),
        }
    }
}
