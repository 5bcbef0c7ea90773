//! tepui-framework
