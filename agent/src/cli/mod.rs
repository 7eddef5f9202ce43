pub mod run_args;
