//! Settings that changed while the server runs and take effect only after a restart.

use super::resolved::Settings;
use super::written::Log;

impl Settings {
    /// The keys in which `new` differs, apart from those that take effect while the server runs.
    pub fn needing_restart(&self, new: &Self) -> Vec<&'static str> {
        // Destructured, so that a new setting does not compile without a decision here.
        let Self {
            listen,
            metrics_listen,
            tls,
            production,
            public_domain,
            secure,
            lifetimes,
            sessions_per_person,
            confirm_native,
            cookie_domains,
            directory,
            claims,
            kubernetes,
            webhook,
            script_timeout,
            script_memory,
            script_program: _,
            templates_refresh,
            allow_missing_providers,
            may_stay,
            display_version,
            openapi,
            log: Log { level: _, format },
            user_names,
            telemetry,
            allow_private_addresses,
            backends,
            login_protection,
            connections,
            trusted_proxies,
            proxies_are_declared,
            store,
            signing,
            algorithm_is_named,
        } = new;
        let same = [
            ("environment", self.production == *production),
            ("listen", self.listen == *listen),
            ("metrics_listen", self.metrics_listen == *metrics_listen),
            ("tls", self.tls == *tls),
            ("public_domain", self.public_domain == *public_domain),
            ("secure", self.secure == *secure),
            ("lifetimes", self.lifetimes == *lifetimes),
            ("sessions_per_person", self.sessions_per_person == *sessions_per_person),
            ("confirm_native", self.confirm_native == *confirm_native),
            ("cookie_domains", self.cookie_domains == *cookie_domains),
            ("directory", self.directory == *directory),
            ("claims", self.claims == *claims),
            ("kubernetes", self.kubernetes == *kubernetes),
            ("kubernetes.webhook", self.webhook == *webhook),
            ("script", (self.script_timeout, self.script_memory) == (*script_timeout, *script_memory)),
            ("templates", self.templates_refresh == *templates_refresh),
            ("allow_missing_providers", self.allow_missing_providers == *allow_missing_providers),
            ("may_stay", self.may_stay == *may_stay),
            ("display_version", self.display_version == *display_version),
            ("openapi", self.openapi == *openapi),
            ("log.format", self.log.format == *format),
            ("audit.user_names", self.user_names == *user_names),
            ("telemetry", self.telemetry == *telemetry),
            ("outgoing", (self.allow_private_addresses, &self.backends) == (*allow_private_addresses, backends)),
            ("login_protection", self.login_protection == *login_protection),
            ("connections", self.connections == *connections),
            (
                "trusted_proxies",
                (&self.trusted_proxies, self.proxies_are_declared) == (trusted_proxies, *proxies_are_declared),
            ),
            ("store", self.store == *store),
            ("signing", (&self.signing, self.algorithm_is_named) == (signing, *algorithm_is_named)),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}
