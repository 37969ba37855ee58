package byzantine

// pbftProfiles are the behaviours that forge PBFT's messages.
func pbftProfiles() []entry { return nil }
