//! One custom resource as the API server sends it. Whatever it holds, it decodes: what is wrong with it is said later.

use std::borrow::Cow;

use kube::Resource;
use kube::api::{ApiResource, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{GROUP, VERSION};
use crate::registry::document::Kind;

/// A custom resource, unread.
#[derive(Clone, Debug)]
pub(super) struct Object {
    metadata: ObjectMeta,
    /// Everything, metadata included.
    pub(super) content: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let content = Map::deserialize(deserializer)?;
        let text = |key: &str| content.get("metadata")?.get(key)?.as_str().map(str::to_owned);
        let number = |key: &str| content.get("metadata")?.get(key)?.as_i64();
        // Member by member, because one of a strange type must not cost the whole list.
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            generation: number("generation"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, content })
    }
}

impl Object {
    /// When it was created, as RFC 3339 in UTC, which sorts like the time; what has no time counts as the newest.
    pub(super) fn created(&self) -> &str {
        let created = self.content.get("metadata").and_then(|metadata| metadata.get("creationTimestamp"));
        created.and_then(Value::as_str).unwrap_or("~")
    }
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// How the API server calls a kind.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "Tenant",
        Kind::Client => "Client",
    }
}

/// How it calls all of a kind.
pub(super) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "tenants",
        Kind::Client => "clients",
    }
}

/// A kind, for requests.
pub(super) fn resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind_name(kind).to_owned(),
        plural: plural(kind).to_owned(),
    }
}
