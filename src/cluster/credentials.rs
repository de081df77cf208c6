//! The credentials of a kubeconfig's user: what of them is not supported, and what to do about it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kube::client::AuthError;
use kube::config::AuthInfo;

use crate::errors::{KNOWN_TO_TLS, chain, plain};

/// Holds that the token of an OpenID Connect provider has not expired: this program renews none, for kubectl
/// could not go on with what it has then.
pub(super) fn check_token(user: &AuthInfo) -> Result<(), String> {
    let provider = user.auth_provider.as_ref();
    let Some(provider) = provider.filter(|provider| provider.name == "oidc") else {
        return Ok(());
    };
    let expiry = || {
        let claims = provider.config.get("id-token")?.split('.').nth(1)?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        claims.get("exp")?.as_i64()
    };
    if expiry().is_none_or(|expiry| expiry > Timestamp::now().as_second()) {
        return Ok(());
    }
    Err(
        "the id-token of the kubeconfig's auth-provider oidc has expired, and this program renews none: \
         run `kubectl get --raw /version`, which does, or give the user an exec plugin"
            .to_owned(),
    )
}

/// Why there is no client, and what to do.
pub(super) fn advice(user: &AuthInfo, error: &(dyn std::error::Error + 'static)) -> String {
    let plugin = user.exec.as_ref().and_then(|exec| exec.command.as_deref());
    let plugin = format!(
        "the kubeconfig's exec plugin {}",
        plugin.unwrap_or_default()
    );
    let provider = user.auth_provider.as_ref().map(|provider| &provider.name);
    let detail = chain(error);
    match error.downcast_ref() {
        Some(kube::Error::Auth(AuthError::AuthExecStart(error))) => format!(
            "{plugin} does not start: {error}; have it where this program runs (its image has no other \
             programs), or give the user a token"
        ),
        // Its output may be a token.
        Some(kube::Error::Auth(AuthError::AuthExecRun { out, .. })) => format!(
            "{plugin} failed, {}: {}",
            out.status,
            plain(String::from_utf8_lossy(&out.stderr).trim())
        ),
        Some(kube::Error::Auth(_)) if let Some(provider) = provider => format!(
            "the kubeconfig's auth-provider {provider} is not supported or has no token: {detail}; give the user \
             an exec plugin or a token"
        ),
        Some(_) if detail.contains("failed to parse private key") => format!(
            "{detail}; the key of the kubeconfig's client certificate must be of {KNOWN_TO_TLS}: \
             a key on the curve P-521 is not supported"
        ),
        Some(_) | None => detail,
    }
}
