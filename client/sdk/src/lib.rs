//! tepui-sdk
