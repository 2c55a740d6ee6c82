//! What several integration tests share.

#[allow(dead_code, reason = "each test uses a part of it")]
pub mod mariadb;
#[allow(dead_code, reason = "each test uses a part of it")]
pub mod postgres;
pub mod stores;
pub mod world;
