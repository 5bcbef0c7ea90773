//! tepui-cli
