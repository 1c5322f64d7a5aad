extension Parameters {
    static let importing: [Parameter] = []
}
