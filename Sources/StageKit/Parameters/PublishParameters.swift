extension Parameters {
    static let publish: [Parameter] = []
}
