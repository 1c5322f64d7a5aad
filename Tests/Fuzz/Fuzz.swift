import Foundation
import FuzzTargets
import Shards

/// The parser that FUZZ_TARGET names.
private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        fatalError("FUZZ_TARGET is \"\(name)\", expected one of \(FuzzTarget.allCases.map(\.rawValue))")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

private typealias Test = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

/// libFuzzer's, for programs with a main function of their own: SwiftPM renames every executable's, and wants it there.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>, _ test: Test
) -> CInt

@main
enum Fuzz {
    /// `fuzz --targets` names them; `fuzz --seeds FOLDER`, from the repository's root, writes valid documents; everything
    /// else is for libFuzzer.
    static func main() throws {
        if CommandLine.arguments.dropFirst().first == "--targets" {
            return print(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))
        }
        if CommandLine.arguments.dropFirst().first == "--seeds" {
            for (number, seed) in try target.seeds(root: ".").enumerated() {
                try FileSystem.write(seed, to: "\(CommandLine.arguments[2])/seed-\(number)", flushed: false)
            }
            return
        }
        var (count, arguments) = (CommandLine.argc, CommandLine.unsafeArgv)
        exit(runDriver(&count, &arguments) { testOneInput($0, $1) })
    }
}
