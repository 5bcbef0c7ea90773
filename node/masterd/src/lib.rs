//! tepui-masterd
