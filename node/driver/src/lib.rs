//! tepui-driver
