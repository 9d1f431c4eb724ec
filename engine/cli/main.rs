//! The program: hands over to the library, which can be called as well by tests.

fn main() -> std::process::ExitCode {
    let code = periplus_cli::main_with(std::env::args_os(), periplus_cli::Io::process());
    std::process::ExitCode::from(code.code())
}
