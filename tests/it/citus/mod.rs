//! A database that is spread over a Citus cluster. The extension is not here: what Citus asks of the schema is judged by the
//! catalogue, the statements that distribute are read, and they run against a stand-in that only keeps the books. What is
//! true of a cluster alone is in `cluster`, which runs where there is one.

mod cluster;
mod conditions;
mod places;
mod stand_in;
