"""Plans that other tools write: spec-kit, Kiro, OpenSpec, Task Master, and plain lists; one shape for all of them."""
