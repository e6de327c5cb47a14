//! Which tenant a host leads to: exact hosts before wildcards, longer wildcards before shorter ones.
//!
//! A wildcard stands for one label. All wildcards with their stars at the same places form a shape; a lookup asks one
//! hash map per shape, so its price does not grow with the number of tenants.

use std::collections::HashMap;
use std::sync::Arc;

use super::shared_map::SharedMap;
use super::tenant::{HostPattern, Tenant};

#[derive(Clone, Debug, Default)]
pub(super) struct HostTable {
    exact: SharedMap<String, Arc<Tenant>>,
    /// The more labels are written out the earlier; see [`Shape::order`].
    shapes: Vec<(Shape, HashMap<String, Arc<Tenant>>)>,
}

/// Where the stars are: one flag per label, the leftmost first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape(Vec<bool>);

impl Shape {
    fn of(pattern: &str) -> Self {
        Self(pattern.split('.').map(|label| label == "*").collect())
    }

    /// `host` with stars where the shape has them.
    fn project(&self, host: &str) -> String {
        let labels: Vec<&str> =
            host.split('.').zip(&self.0).map(|(label, &star)| if star { "*" } else { label }).collect();
        labels.join(".")
    }

    /// Fewer stars first; among equals those whose written labels come later in the name.
    fn order(&self) -> (usize, Vec<bool>) {
        (self.0.iter().filter(|&&star| star).count(), self.0.iter().map(|&star| !star).collect())
    }
}

impl HostTable {
    /// The tenant that has written out `host`, which is lower case and without port.
    pub(super) fn find_exact(&self, host: &str) -> Option<&Arc<Tenant>> {
        self.exact.get(host)
    }

    /// The tenant whose wildcard means `host`, which is lower case and without port.
    pub(super) fn find_wildcard(&self, host: &str) -> Option<&Arc<Tenant>> {
        // An address has no labels that a wildcard could mean.
        if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
            return None;
        }
        let labels = host.split('.').count();
        let mut fitting = self.shapes.iter().filter(|(shape, _)| shape.0.len() == labels);
        fitting.find_map(|(shape, tenants)| tenants.get(&shape.project(host)))
    }

    /// Adds all hosts of `tenant`, which nobody else has: the register of claims has seen to that.
    pub(super) fn insert(&mut self, tenant: &Arc<Tenant>) {
        for HostPattern(pattern) in &tenant.hosts {
            let shape = Shape::of(pattern);
            if !shape.0.contains(&true) {
                self.exact.insert(pattern.clone(), tenant.clone());
                continue;
            }
            let tenants = match self.shapes.iter_mut().position(|(other, _)| *other == shape) {
                Some(at) => &mut self.shapes[at].1,
                None => {
                    let at = self.shapes.partition_point(|(other, _)| other.order() < shape.order());
                    self.shapes.insert(at, (shape, HashMap::new()));
                    &mut self.shapes[at].1
                }
            };
            tenants.insert(pattern.clone(), tenant.clone());
        }
    }

    /// Takes away all hosts of `tenant`, which has them.
    pub(super) fn remove(&mut self, tenant: &Tenant) {
        for HostPattern(pattern) in &tenant.hosts {
            let shape = Shape::of(pattern);
            if !shape.0.contains(&true) {
                self.exact.remove(pattern);
            } else if let Some((_, tenants)) = self.shapes.iter_mut().find(|(other, _)| *other == shape) {
                tenants.remove(pattern);
            }
        }
    }
}
