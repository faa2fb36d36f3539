namespace CudaL2Net.Interop;

/// <summary>What calls of the CUDA driver return (<c>CUresult</c>); the values that are told apart here.</summary>
public enum CudaError
{
    /// <summary>The call did what it should.</summary>
    Success = 0,

    /// <summary>An argument is out of range.</summary>
    InvalidValue = 1,

    /// <summary>The device has not enough memory.</summary>
    OutOfMemory = 2,

    /// <summary>The driver is not initialized, or there is none.</summary>
    NotInitialized = 3,

    /// <summary>There is no device.</summary>
    NoDevice = 100,

    /// <summary>There is no device of this number, or it is not one that the kernels run on.</summary>
    InvalidDevice = 101,

    /// <summary>The module is no code.</summary>
    InvalidImage = 200,

    /// <summary>The context is none, is gone, or is not the one that something was made in.</summary>
    InvalidContext = 201,

    /// <summary>The module has no code for this device.</summary>
    NoBinaryForGpu = 209,

    /// <summary>The module's PTX does not compile.</summary>
    InvalidPtx = 218,

    /// <summary>The module's PTX is of a later ISA version than the driver knows.</summary>
    UnsupportedPtxVersion = 222,

    /// <summary>The module has no such kernel.</summary>
    NotFound = 500,

    /// <summary>The work is not done yet.</summary>
    NotReady = 600,

    /// <summary>A kernel used an address that is not its own.</summary>
    IllegalAddress = 700,

    /// <summary>A kernel needs more registers or shared memory than there are.</summary>
    LaunchOutOfResources = 701,

    /// <summary>A kernel ran too long.</summary>
    LaunchTimeout = 702,

    /// <summary>A kernel's stack broke.</summary>
    HardwareStackError = 714,

    /// <summary>A kernel ran into an instruction that is none.</summary>
    IllegalInstruction = 715,

    /// <summary>A kernel used an address that is not a multiple of the access's size.</summary>
    MisalignedAddress = 716,

    /// <summary>A kernel used an address in the wrong space.</summary>
    InvalidAddressSpace = 717,

    /// <summary>A kernel jumped out of its code.</summary>
    InvalidProgramCounter = 718,

    /// <summary>A kernel failed in another way.</summary>
    LaunchFailed = 719,
}
