//! tepui-container
