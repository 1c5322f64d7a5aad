import CommandKit
import Foundation
import Logging
import Synchronization

/// Progress of long work: a bar with rate and time left on a terminal, else a line every 30 s. Safe from several
/// threads.
package final class Progress: Sendable {
    private struct State {
        var done = 0
        var lastShown: Double
    }

    private let label: String
    private let total: Int
    private let unit: String
    private let log: Logger
    private let start = ProcessInfo.processInfo.systemUptime
    private let state: Mutex<State>

    package init(_ label: String, total: Int, unit: String, log: Logger) {
        (self.label, self.total, self.unit, self.log) = (label, total, unit, log)
        state = Mutex(State(lastShown: start))
    }

    package func advance(_ count: Int = 1) {
        let now = ProcessInfo.processInfo.systemUptime
        let every = Terminal.errorIsTerminal ? 0.2 : 30
        let show: Int? = state.withLock {
            $0.done += count
            guard now - $0.lastShown >= every else { return nil }
            $0.lastShown = now
            return $0.done
        }
        guard let done = show else { return }
        let rate = Double(done) / max(now - start, 1e-3)
        let left = rate > 0 ? Double(total - done) / rate : 0
        let text = "\(label): \(done) of \(total) \(unit), \(Int(rate)) a second, \(Int(left)) s left"
        if Terminal.errorIsTerminal {
            let filled = total > 0 ? 20 * done / total : 20
            Terminal.status(
                "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled) + "] " + text)
        } else {
            log.info("\(text)")
        }
    }

    deinit { if Terminal.errorIsTerminal { Terminal.status("") } }
}
