//! tepui-registry
