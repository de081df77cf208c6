//! SelfSubjectAccessReview: may I?

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    options::Options,
    rbac,
    reply::{self, Reply},
};

/// Answers a review with what the same request would meet.
pub(crate) fn create(options: &Options, body: &[u8]) -> Reply {
    let mut review: Value = match serde_json::from_slice(body) {
        Ok(review @ Value::Object(_)) => review,
        Ok(_) | Err(_) => {
            let message = "the object provided is unrecognized: not a SelfSubjectAccessReview";
            return reply::status(StatusCode::BAD_REQUEST, message);
        }
    };
    let asked = |field: &str| {
        let attributes = &review["spec"]["resourceAttributes"];
        attributes[field].as_str().unwrap_or_default().to_owned()
    };
    let allowed = rbac::allowed(&options.denied, &asked("verb"), &asked("resource"));
    review["kind"] = json!("SelfSubjectAccessReview");
    review["apiVersion"] = json!("authorization.k8s.io/v1");
    review["status"] = if allowed {
        json!({
            "allowed": true,
            "reason": "RBAC: allowed by ClusterRoleBinding \"standin\" of ClusterRole \"standin\" \
                       to ServiceAccount \"standin/kubevirt\"",
        })
    } else {
        json!({ "allowed": false })
    };
    reply::json(StatusCode::CREATED, &review)
}
