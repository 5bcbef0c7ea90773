//! tepui-allocator
