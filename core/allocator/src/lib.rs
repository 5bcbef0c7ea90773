//! tepui-allocator
pub mod amounts;
pub mod key;
pub mod role;
pub mod sorter;
