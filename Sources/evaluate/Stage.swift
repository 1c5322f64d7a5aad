// Filled in by the next commits.
@main struct Main { static func main() {} }
