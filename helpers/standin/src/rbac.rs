//! What the caller may do: everything but what was denied.

use http::StatusCode;
use serde_json::json;

use crate::{
    options::{Denied, Options},
    reply::{self, Reply},
    router::Attributes,
};

/// Who the caller is.
pub(crate) const USER: &str = "system:serviceaccount:kubevirt:standin";

/// Whether a verb on a resource is allowed.
pub(crate) fn allowed(denied: &[Denied], verb: &str, resource: &str) -> bool {
    !denied
        .iter()
        .any(|denied| denied.verb == verb && denied.resource == resource)
}

/// The refusal of a request, if it is refused.
pub(crate) fn refusal(options: &Options, asked: &Attributes<'_>) -> Option<Reply> {
    let is_review = asked.resource == "selfsubjectaccessreviews";
    if allowed(&options.denied, asked.verb, asked.resource)
        && !(is_review && options.reviews_forbidden)
    {
        return None;
    }
    let Attributes {
        verb,
        group,
        resource,
        namespace,
        name,
    } = asked;
    let dotted = if group.is_empty() {
        (*resource).to_owned()
    } else {
        format!("{resource}.{group}")
    };
    let named = name.map(|name| format!(" {name:?}")).unwrap_or_default();
    let scope = match namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let message = format!(
        "{dotted}{named} is forbidden: User {USER:?} cannot {verb} resource {resource:?} \
         in API group {group:?} {scope}"
    );
    let mut details = json!({ "group": group, "kind": resource });
    if let Some(name) = name {
        details["name"] = json!(name);
    }
    Some(reply::status_of(StatusCode::FORBIDDEN, &message, details))
}
