//! tepui-bench
