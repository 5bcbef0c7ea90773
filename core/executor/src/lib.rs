//! tepui-executor
