//! Outside identities: signing in at a real provider, and access tokens that other issuers made.
