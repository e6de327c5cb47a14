//! One custom resource as the API server sends it. Whatever it holds, it decodes: what is wrong with it is said later.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::api::{ApiResource, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::registry::document::Kind;

/// The group of both resources.
pub(super) const GROUP: &str = "uitsmijter.io";
/// Their version.
pub(super) const VERSION: &str = "v1";
/// How deep a resource may be nested. A JSON reader gives up at 128 levels, and with one resource on all that are listed
/// along with it.
const DEEPEST: usize = 64;
/// What stands in the place of what lies deeper.
const TOO_DEEP: &str = "nested too deeply";

/// A custom resource, unread.
#[derive(Clone, Debug)]
pub(super) struct Object {
    metadata: ObjectMeta,
    /// Everything, metadata included.
    pub(super) content: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let content = match Shallow(DEEPEST).deserialize(deserializer)? {
            Value::Object(content) => content,
            _ => return Err(D::Error::custom("a resource is an object")),
        };
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

/// Reads a value down to so many levels; what lies deeper is passed over, which needs no stack.
struct Shallow(usize);

impl<'de> DeserializeSeed<'de> for Shallow {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            0 => IgnoredAny::deserialize(deserializer).map(|_| TOO_DEEP.into()),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Shallow {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Self(self.0 - 1))? {
            read.push(item);
        }
        Ok(read.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(key) = members.next_key()? {
            read.insert(key, members.next_value_seed(Self(self.0 - 1))?);
        }
        Ok(read.into())
    }
}
