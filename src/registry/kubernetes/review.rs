//! The answer to an `AdmissionReview` (`admission.k8s.io/v1`): what `check` would refuse is not stored.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use serde_json::Value;
use zeroize::Zeroizing;

use super::object::Object;
use super::seen::{Key, secret_names, text};
use crate::registry::document::{Document, Kind};
use crate::registry::secrets::Secrets;
use crate::registry::{Problem, Severity};

/// Longer warnings are cut by the API server.
const LONGEST_WARNING: usize = 250;

/// Answers the review in `body`. `rehearse` says what would be wrong if a document were declared, whose problems name
/// it like this.
///
/// Errors: it is no review.
pub fn review(body: &[u8], rehearse: &dyn Fn(Document, &str) -> Vec<Problem>) -> Result<Value> {
    let review: AdmissionReview<kube::api::DynamicObject> =
        serde_json::from_slice(body).context("the body is no AdmissionReview")?;
    let request: AdmissionRequest<_> = review.try_into().context("the AdmissionReview has no request")?;
    let response = AdmissionResponse::from(&request);
    let response = match judged(&request)? {
        None => response,
        Some((key, document)) => judge(response, &key, rehearse(document, &key.entity())),
    };
    Ok(serde_json::to_value(response.into_review())?)
}

/// What there is to judge: a tenant or client that would be stored with a changed specification. Deleting is always
/// possible, and a status is ours.
fn judged(request: &AdmissionRequest<kube::api::DynamicObject>) -> Result<Option<(Key, Document)>> {
    let kind = match request.kind.kind.as_str() {
        "Tenant" => Kind::Tenant,
        "Client" => Kind::Client,
        _ => return Ok(None),
    };
    let is_stored =
        matches!(request.operation, Operation::Create | Operation::Update) && request.sub_resource.is_none();
    let Some(object) = request.object.as_ref().filter(|_| is_stored) else { return Ok(None) };
    // One that goes is let go, whatever it says: its finalizers have to be removed.
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let object: Object = serde_json::from_value(serde_json::to_value(object)?)?;
    let mut key = Key::of(kind, &object);
    if let Some(namespace) = &request.namespace {
        key.namespace.clone_from(namespace);
    }
    // A Secret may well be made after the resource that names it.
    let any = |key: &str| (key.to_owned(), Zeroizing::new("to come, and long enough to be a secret".to_owned()));
    let secret: BTreeMap<_, _> = ["secret", "access_key_id", "secret_access_key"].map(any).into();
    let spec = object.content.get("spec");
    let named_keys = spec.and_then(|spec| spec.get("secretRef")?.get("key")?.as_str());
    let secret: BTreeMap<_, _> = secret.into_iter().chain(named_keys.map(any)).collect();
    let secrets = secret_names(spec).into_iter().map(|name| (name, Ok(secret.clone()))).collect();
    let document = Document::new(&key.source(), 0, Some(kind), Ok(text(&key, &object).into()), Secrets::new(secrets));
    Ok(Some((key, document)))
}

/// No, with the sentences that `check` would print; or yes, with its warnings.
fn judge(mut response: AdmissionResponse, key: &Key, problems: Vec<Problem>) -> AdmissionResponse {
    let (own, others): (Vec<Problem>, Vec<Problem>) =
        problems.into_iter().partition(|problem| problem.source == key.source());
    // A client and its tenant may well be applied together, in any order, and asked about at different replicas.
    let is_error = |problem: &&Problem| problem.severity == Severity::Error && !problem.awaits;
    let mut errors: Vec<String> = own.iter().filter(is_error).map(|problem| problem.message.clone()).collect();
    // What is older wins over what is newer, and must not take away its hosts or its client_id like this. Clients that a
    // tenant does not want any more are another matter: it decides.
    let is_robbed = |problem: &&Problem| key.kind == Kind::Client || problem.entity.starts_with("tenant ");
    let robbed = others.iter().filter(is_error).filter(is_robbed);
    errors.extend(robbed.map(|problem| format!("{} would go: {}", problem.entity, problem.message)));
    if !errors.is_empty() {
        return response.deny(errors.join("; "));
    }
    if !own.is_empty() {
        let cut = |problem: Problem| problem.message.chars().take(LONGEST_WARNING).collect();
        response.warnings = Some(own.into_iter().map(cut).collect());
    }
    response
}
