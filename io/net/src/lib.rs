//! tepui-net
