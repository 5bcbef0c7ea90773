//! tepui-execd
