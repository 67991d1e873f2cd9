//! Sample authority, whole-server starter and drivers of third-party programs; development only.
