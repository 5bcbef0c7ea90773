//! Tests of the store from outside.

mod crash_points;
mod damage;
mod faults;
mod judge;
mod lock;
mod small_file;
mod store;
