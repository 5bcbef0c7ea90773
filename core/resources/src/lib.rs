//! tepui-resources
